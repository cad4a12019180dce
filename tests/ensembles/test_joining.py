"""An ensemble as one network that is trained on: what it says at first, what is trained of it, what is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import cnnlab
from cnnlab import training
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.messages import quietly
from cnnlab.models import load_classifier
from cnnlab.runs import Run, RunStore
from cnnlab.training.prepare import build_classifier, read_setup
from cnnlab.training.recipe import Recipe

SHARED: dict[str, Any] = {
    "data": "digits",
    "subset": 200,
    "validation": 100,
    "test": 60,
    "batch_size": 50,
    "epochs": 1,
    "threads": 1,
    "precision": "float32",
}
TRAINED_ON: dict[str, Any] = SHARED | {"optimizer": "sgd(lr=0.1)", "schedule": "constant", "epochs": 2}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Members that differ in architecture, normalisation and order of pixels; one with batch normalisation."""
    folder = tmp_path_factory.mktemp("joined") / "runs"
    with quietly():
        for name, keys in {
            "flat": {"model": "mlp(hidden=[12])", "permute": 3},
            "normed": {"model": "conv(4)|bn|relu|dropout(0.5)|pool", "normalize": "none"},
            "plain": {"model": "mlp(hidden=[8])", "normalize": "numbers(mean=[0.5], std=[0.25])", "seed": 1},
        }.items():
            training.train(runs=folder, name=name, **keys, **SHARED)
    return folder


@pytest.fixture
def runs(shelf: Path, tmp_path: Path) -> Path:
    """The same in a folder of the test's own."""
    return Path(shutil.copytree(shelf, tmp_path / "runs"))


def begun(runs: Path, **keys: Any) -> Any:
    """The classifier before the first step."""
    with quietly():
        return build_classifier(read_setup(None, TRAINED_ON | keys, RunStore(runs))).eval()


def pictures() -> Tensor:
    test = cnnlab.load_data("digits").test
    assert test is not None
    return test.batch(torch.arange(40))[0]


def state(run: Run, file: str = "last") -> dict[str, Tensor]:
    path = run.folder / f"{file}.safetensors"
    path = path if path.exists() else run.folder / "model.safetensors"
    return load_classifier(path).network.state_dict()


@pytest.mark.parametrize(
    "method", ["mean", "mean(of=logits)", "mean(temperature=true)", "weights", "greedy(size=5)", "swarm(iterations=3)"]
)
def test_the_network_begins_with_what_the_ensemble_says(method: str, runs: Path) -> None:
    run = cnnlab.ensemble(["flat", "normed", "plain"], method, runs=runs)
    ensemble, network = cnnlab.open_model(f"ensemble:{run.name}", runs=runs), begun(runs, model=f"ensemble:{run.name}")
    with torch.no_grad():
        said, wanted = network(pictures()), ensemble(pictures())
    assert (said.softmax(1) - wanted.softmax(1)).abs().max() < 1e-5
    torch.testing.assert_close(said, wanted, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    ("data", "objective"),
    [
        ("digits", "binary(column=label, positive=7)"),
        ("clocks(count=120, size=16)", "hands"),
    ],
)
def test_other_objectives_combine_as_they_mean_it(data: str, objective: str, runs: Path) -> None:
    keys = SHARED | {"data": data, "objective": objective, "subset": None, "validation": 0.2, "test": 0.2}
    with quietly():
        first = training.train(runs=runs, model="mlp(hidden=[8])", **keys)
        second = training.train(runs=runs, model="mlp(hidden=[6])", subset=0.5, seed=1, **{**keys, "subset": 0.5})
    run = cnnlab.ensemble([first.name, second.name], runs=runs)
    ensemble = cnnlab.open_model(f"ensemble:{run.name}", runs=runs)
    network = begun(runs, model=f"ensemble:{run.name}", **keys)
    pixels = torch.rand(20, *ensemble.shape)
    with torch.no_grad():
        torch.testing.assert_close(network(pixels), ensemble(pixels), atol=1e-5, rtol=1e-4)


def test_a_part_is_a_member_and_what_is_frozen_stays_to_the_bit(runs: Path) -> None:
    run = cnnlab.ensemble(["flat", "normed"], runs=runs, name="pair")
    first = begun(runs, model="ensemble:pair").network.state_dict()
    with quietly():
        trained = training.train(
            runs=runs,
            model="ensemble:pair",
            phases=[{"train": "member1", "epochs": 1}, {"train": "member1.head+member2", "epochs": 1}],
            snapshots=[1],
            **{key: value for key, value in TRAINED_ON.items() if key != "epochs"},
        )
    between, last = state(trained, "epochs/epoch-0001") if False else None, state(trained)
    changed = {name for name in first if not torch.equal(first[name], last[name])}
    assert between is None
    assert {name.partition(".")[0] for name in changed} == {"member1", "member2"}
    assert run.name in trained.recipe["model"]
