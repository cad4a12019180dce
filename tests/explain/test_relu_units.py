"""Dead units and zeros of every ReLU."""

from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import cnnlab
from cnnlab import explain
from cnnlab.core.errors import UsageError
from cnnlab.data import TensorImages
from cnnlab.explain import relu_units
from cnnlab.models import Classifier
from cnnlab.testing import check_tool, conv_classifier, tiny_image


def images_of(*values: float) -> TensorImages:
    """Grey pictures of 2×2, each of one value."""
    return TensorImages(torch.stack([torch.full((1, 2, 2), round(255 * value), dtype=torch.uint8) for value in values]))


def classifier_of(network: nn.Module) -> Classifier:
    return Classifier(network, (1, 2, 2), [0], [1], {"label": ("a", "b")}, "classes", "module(own)").eval()


def set_to(layer: nn.Conv2d | nn.Linear, weights: list[float], biases: list[float]) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights).reshape(layer.weight.shape))
        layer.bias.copy_(torch.tensor(biases))


def three_units(**relu: bool) -> Classifier:
    """A picture of value v becomes v, -v and v - 1/2 at each of its four places, then ReLU."""
    conv = nn.Conv2d(1, 3, 1)
    set_to(conv, [1, -1, 1], [0, 0, -0.5])
    return classifier_of(
        nn.Sequential(OrderedDict(conv=conv, relu=nn.ReLU(**relu), flatten=nn.Flatten(), head=nn.Linear(12, 2)))
    )


@pytest.mark.parametrize("inplace", [False, True])
def test_a_unit_is_dead_that_is_never_above_zero_and_zeros_are_counted(inplace: bool) -> None:
    found = explain.dead_units(three_units(inplace=inplace), images_of(0.2, 0.4, 0.8, 1.0))
    (layer,) = found.layers
    assert layer.layer == "relu" and layer.is_dead.tolist() == [False, True, False]
    assert layer.zeros.tolist() == [0, 1, 0.5] and layer.sparsity == 0.5
    assert (found.dead, found.units, found.images) == (1, 3, 4)


def test_how_the_split_falls_into_batches_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = images_of(*np.linspace(0, 1, 11))
    whole = explain.dead_units(three_units(), pictures).layers[0]
    monkeypatch.setattr(relu_units, "_BATCH", 3)
    parts = explain.dead_units(three_units(), pictures).layers[0]
    assert parts.is_dead.tolist() == whole.is_dead.tolist() and parts.zeros.tolist() == whole.zeros.tolist()


class Functional(nn.Module):
    """ReLUs that are functions: one in each way to write them, and a module that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.relu, self.six = Inner(), nn.ReLU(), nn.ReLU6()

    def forward(self, input: Tensor) -> Tensor:
        first = self.relu(self.inner(input.flatten(1)))
        return self.six(torch.relu_(self.relu(first - 0.5)))[:, :2]


class Inner(nn.Module):
    def forward(self, input: Tensor) -> Tensor:
        return F.relu(-F.relu(input, inplace=True).relu())


def test_functions_are_seen_by_the_module_that_calls_them() -> None:
    found = explain.dead_units(classifier_of(Functional()), images_of(0.4, 0.6))
    dead = {layer.layer: layer.dead for layer in found.layers}
    assert dead == {
        "inner": 0,
        "inner, call 2": 0,
        "inner, call 3": 4,
        "relu": 4,
        "relu, call 2": 4,
        "the network": 4,
        "six": 4,
    }


def test_of_a_dense_layer_numbers_are_units() -> None:
    dense = nn.Linear(4, 2)
    set_to(dense, [1, 1, 1, 1, -1, -1, -1, -1], [-2.0, 0.0])
    network = nn.Sequential(OrderedDict(flatten=nn.Flatten(), dense=dense, relu=nn.ReLU()))
    (layer,) = explain.dead_units(classifier_of(network), images_of(0.2, 1.0)).layers
    assert layer.is_dead.tolist() == [False, True] and layer.zeros.tolist() == [0.5, 1.0]


def test_networks_fused_for_the_processor_are_counted_as_written() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = cnnlab.models.build_network("conv(6)|bn|relu|pool|conv(6)|relu|global_pool", (1, 8, 8), 3)
    classifier = Classifier(network, (1, 8, 8), [0.5], [0.2], {"label": ("a", "b", "c")}, "classes", "own").eval()
    pixels = torch.randint(256, (20, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    found = explain.dead_units(classifier, TensorImages(pixels))
    for layer in found.layers:
        maps = explain.activations(classifier, pixels, layer.layer).values
        assert np.allclose(layer.zeros, (maps <= 0).mean((0, 2, 3)))


def test_a_network_without_a_relu_is_refused() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.GELU(), nn.Linear(3, 2))
    with pytest.raises(UsageError, match="has no ReLU that can be seen"):
        explain.dead_units(classifier_of(network), images_of(0.5))


def test_what_is_no_number_is_told_of() -> None:
    classifier = three_units()
    set_to(classifier.network.conv, [1, 1, 1], [0, float("nan"), 0])
    found = explain.dead_units(classifier, images_of(0.5))
    assert found.dead == 1 and found.notes == ("relu put out what is no number, which counts as not above zero",)


def test_a_model_by_itself_needs_data_and_has_one_epoch() -> None:
    with pytest.raises(UsageError, match="a model by itself has no data"):
        explain.dead_units(conv_classifier())
    with pytest.raises(UsageError, match="only a run has weights of another epoch"):
        explain.dead_units(conv_classifier(), images_of(0.5), epoch=1)
    with pytest.raises(UsageError, match="only a run keeps weights of several epochs"):
        explain.dead_units_over_training(conv_classifier())


def test_models_are_left_as_found() -> None:
    def tool(classifier: Classifier, pixels: Tensor) -> list[object]:
        found = explain.dead_units(classifier, TensorImages((pixels * 255).byte()))
        return [(layer.layer, layer.is_dead, layer.zeros) for layer in found.layers]

    check_tool(tool)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Two trainings that differ in their learning rate."""
    folder: Path = tmp_path_factory.mktemp("runs")
    common = {"data": "digits", "model": "cnn(filters=[8], dense=[32])", "epochs": 2, "snapshots": [0, 1]}
    made = {
        name: cnnlab.train(**common, optimizer=f"adam(lr={rate})", runs=folder, name=name)
        for name, rate in (("slow", 0.001), ("fast", 0.2))
    }
    return SimpleNamespace(**made)


def test_a_learning_rate_that_is_too_high_leaves_dead_units_and_zeros(runs: SimpleNamespace) -> None:
    slow, fast = (explain.dead_units_over_training(run) for run in (runs.slow, runs.fast))
    assert [each.epoch for each in slow] == [0, 1, 2] == list(runs.slow.stored_epochs)
    # From the same weights.
    assert slow[0].dead == fast[0].dead and slow[0].units == 8 + 32
    assert fast[-1].dead > slow[-1].dead + 10
    assert fast[-1].layers[-1].sparsity > slow[-1].layers[-1].sparsity + 0.3


def test_a_split_or_an_epoch_that_there_is_not_is_answered(runs: SimpleNamespace) -> None:
    with pytest.raises(UsageError, match=r"has no split 'tests'\. It has train, validation, test"):
        explain.dead_units(runs.slow, split="tests")
    with pytest.raises(UsageError, match=r"did not keep its weights after epoch 7\. Those of 0, 1, 2 are stored"):
        explain.dead_units(runs.slow, epoch=7)


def test_an_epoch_is_that_of_its_snapshot(runs: SimpleNamespace) -> None:
    before = explain.dead_units(runs.slow, split="test", epoch=0)
    same = explain.dead_units(runs.slow.classifier(epoch=0), cnnlab.evaluation.own_data(runs.slow).test)
    for mine, theirs in zip(before.layers, same.layers, strict=True):
        assert np.array_equal(mine.zeros, theirs.zeros)
    assert before.model.startswith("run slow") and before.data == "digits" and before.split == "test"


def test_the_tiny_picture_is_above_zero_everywhere() -> None:
    (layer,) = explain.dead_units(conv_classifier(), TensorImages((tiny_image() * 255).byte())).layers
    assert layer.dead == 0 and layer.sparsity == 0
