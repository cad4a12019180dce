"""Filters, activations, dead units and maximisation of ensembles, pipelines over features, and odd number formats."""

from pathlib import Path

import numpy as np
import pytest
import torch

import cnnlab
from cnnlab import explain
from cnnlab.core.errors import UsageError
from cnnlab.data import TensorImages
from cnnlab.models import Classifier
from cnnlab.testing.model_tools import small_classifier

PIXELS = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, an ensemble of them by the mean and one by votes."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        cnnlab.train(data="digits", model="cnn(filters=[4])", epochs=1, seed=seed, runs=folder, name=f"one{seed}")
    for method in ("mean", "vote"):
        cnnlab.ensemble(["one0", "one1"], method=method, runs=folder, name=method)
    return folder


def test_layers_of_members_have_their_names_in_an_ensemble(runs: Path) -> None:
    ensemble, member = (cnnlab.RunStore(runs).find(name) for name in ("mean", "one1"))
    layer = "members.1.network.conv1"
    assert np.array_equal(explain.filters(ensemble, layer).kernels, explain.filters(member).kernels)
    mine, theirs = (explain.activations(*each) for each in ((ensemble, PIXELS, layer), (member, PIXELS, "conv1")))
    assert np.allclose(mine.values, theirs.values, atol=1e-6)
    mine, theirs = (explain.maximize(*each, 2, steps=5) for each in ((ensemble, layer), (member, "conv1")))
    assert np.allclose(mine.images, theirs.images, atol=1e-4)
    found = explain.dead_units(ensemble)
    assert [layer.layer for layer in found.layers if "relu1" in layer.layer] == [
        "members.0.network.relu1",
        "members.1.network.relu1",
    ]
    with pytest.raises(UsageError, match=r"no layer 'conv1'\..*members"):
        explain.activations(ensemble, PIXELS, "conv1")


def test_classes_of_an_ensemble_are_maximised_unless_it_votes(runs: Path) -> None:
    found = explain.maximize(cnnlab.RunStore(runs).find("mean"), units=[3, "7"], steps=20)
    assert found.names == ("3", "7") and (found.scores > found.starts).all()
    with pytest.raises(UsageError, match="maximisation goes by the gradient"):
        explain.maximize(cnnlab.RunStore(runs).find("vote"))


def test_runs_are_named_in_what_is_found(runs: Path) -> None:
    run = cnnlab.RunStore(runs).find("one0")
    assert explain.filters(run.folder).model.startswith("run one0")
    assert explain.filters(run.folder / "model.safetensors").model == "model.safetensors"


def test_weights_in_bfloat16_are_looked_into() -> None:
    whole: Classifier = small_classifier((1, 8, 8)).eval()
    half: Classifier = small_classifier((1, 8, 8)).eval().to(torch.bfloat16)
    exact, rough = (explain.activations(each, PIXELS, "relu2").values for each in (whole, half))
    assert rough.dtype == np.float32 and np.abs(exact - rough).max() < 0.05 * exact.max()
    assert explain.maximize(half, "conv2", [0, 1], steps=3).images.dtype == np.float32
    assert explain.filters(half).kernels.dtype == np.float32
    assert explain.dead_units(half, TensorImages((PIXELS * 255).byte())).units == 4 + 6
