"""Guided backpropagation and deconvnet reach every ReLU, however it is written, or say that they do not."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab import explain
from cnnlab.core.errors import UsageError
from tests.explain.networks import Written, layered, pictures, wrapped

METHODS = ("guided-backpropagation", "deconvnet", "guided-grad-cam")


WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "function": F.relu,
    "function in place": lambda maps: F.relu(maps, inplace=True),
    "method": lambda maps: maps.relu(),
    "method in place": lambda maps: maps.relu_(),
    "in place, the result left lying": lambda maps: (maps.relu_(), maps)[1],
    "clamp": lambda maps: maps.clamp(min=0),
    "clamp_min": lambda maps: torch.clamp_min(maps, 0.0),
    "maximum": lambda maps: torch.maximum(maps, torch.zeros(())),
    "where": lambda maps: torch.where(maps > 0, maps, 0.0),
    "where, the other way around": lambda maps: torch.where(maps <= 0, torch.zeros_like(maps), maps),
    "product": lambda maps: maps * (maps > 0),
    "product in floats": lambda maps: (maps > 0).float() * maps,
    "product with the sign": lambda maps: maps * torch.sign(maps).clamp(0),
    "product with a step made of the sign": lambda maps: maps * ((torch.sign(maps) + 1) / 2),
    "threshold": lambda maps: F.threshold(maps, 0.0, 0.0),
    "module in place": nn.ReLU(inplace=True),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", WAYS)
def test_a_relu_is_one_however_it_is_written(way: str, method: str) -> None:
    modules = Written(nn.ReLU())
    wanted = explain.attribute(wrapped(modules), pictures(), method, "owl", "conv2")
    written = Written(WAYS[way])
    found = explain.attribute(wrapped(written), pictures(), method, "owl", "conv2")
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-5, atol=1e-8)
    assert not any("ReLU" in note for note in found.notes)
    assert np.abs(wanted.values).max() > 0


class Positive(torch.autograd.Function):
    """A ReLU with a gradient of its own."""

    @staticmethod
    def forward(ctx: Any, input: Tensor) -> Tensor:
        """max(x, 0)."""
        ctx.save_for_backward(input)
        return input.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """That of a ReLU."""
        return gradients[0] * (ctx.saved_tensors[0] > 0)


class OwnActivation(nn.Module):
    """A module without weights, by a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, input: Tensor) -> Tensor:
        """As the function has it."""
        return self.function(input)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "function",
    [
        lambda maps: Positive.apply(maps),
        lambda maps: (maps + (maps * maps).sqrt()) / 2,
        lambda maps: maps.masked_fill(maps < 0, 0),
    ],
    ids=["a gradient of its own", "the root of the square", "a masked fill"],
)
def test_a_module_that_gives_what_a_relu_gives_is_one(function: Callable[[Tensor], Tensor], method: str) -> None:
    wanted = explain.attribute(wrapped(Written(nn.ReLU())), pictures(), method, "owl", "conv2")
    found = explain.attribute(wrapped(Written(OwnActivation(function))), pictures(), method, "owl", "conv2")
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-4, atol=1e-6 * np.abs(wanted.values).max())
    assert not any("ReLU" in note for note in found.notes)


def test_a_module_that_gives_anything_else_passes_its_own_gradient() -> None:
    own = OwnActivation(lambda maps: torch.where(maps > 0, maps, 0.01 * maps))
    found = explain.guided_backpropagation(wrapped(Written(own)), pictures(), "owl")
    assert (found.values == explain.saliency(wrapped(Written(own)), pictures(), "owl").values).all()
    assert "plain gradient" in found.notes[0]


def test_a_gate_that_is_learned_is_no_mask() -> None:
    # What passes the gate is above 0, and the gate is open everywhere: that is no ReLU.
    own = OwnActivation(lambda maps: maps.exp() * (maps + 100).sigmoid())
    found = explain.guided_backpropagation(wrapped(Written(own)), pictures(), "owl")
    np.testing.assert_allclose(found.values, explain.saliency(wrapped(Written(own)), pictures(), "owl").values)


def assigned(maps: Tensor) -> Tensor:
    maps = maps.clone()
    maps[maps < 0] = 0
    return maps


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("way", "told"),
    [
        (lambda maps: maps.masked_fill(maps < 0, 0), "a masked fill on the way passes its own gradient"),
        (assigned, "an assignment by a mask on the way"),
        (lambda maps: (maps + maps.abs()) / 2, "an absolute value on the way"),
        (lambda maps: torch.clamp(maps, min=torch.zeros(())), "a clamp on the way"),
        (lambda maps: torch.stack([maps, torch.zeros_like(maps)]).amax(0), "a maximum along an axis on the way"),
        (lambda maps: -torch.minimum(-maps, torch.zeros(())), "a minimum of two on the way"),
        (lambda maps: (maps * torch.sign(maps) + maps) / 2, "a sign on the way"),
        (lambda maps: Positive.apply(maps), "the function Positive of one's own on the way"),
    ],
    ids=[
        *("masked fill", "assignment", "absolute value", "clamp by a tensor", "maximum along an axis", "minimum"),
        *("sign", "own function"),
    ],
)
def test_what_may_be_a_relu_in_other_words_is_told(way: Callable[[Tensor], Tensor], told: str, method: str) -> None:
    found = explain.attribute(wrapped(Written(way)), pictures(), method, "owl", "conv2")
    assert any(told in note and "write torch.relu" in note for note in found.notes), found.notes


def test_a_module_used_twice_is_ruled_both_times() -> None:
    # What captum gets of two modules; of one used twice it does not get it.
    class Apart(Written):
        def __init__(self) -> None:
            super().__init__(nn.ReLU())
            self.second = nn.ReLU()

        def forward(self, input: Tensor) -> Tensor:
            maps = self.second(self.conv2(self.activation(self.conv1(input))))  # type: ignore[operator]
            output: Tensor = self.head(F.adaptive_avg_pool2d(maps, 1).flatten(1))
            return output

    found = explain.guided_backpropagation(wrapped(Written(nn.ReLU())), pictures(), "owl")
    wanted = explain.guided_backpropagation(wrapped(Apart()), pictures(), "owl")
    assert (found.values == wanted.values).all()


def test_a_layer_that_is_passed_twice_is_refused_for_maps() -> None:
    with pytest.raises(UsageError, match=r"activation 2 times.*layer='activation, call 2'"):
        explain.grad_cam(wrapped(Written(nn.ReLU())), pictures(), layer="activation")


@pytest.mark.parametrize("method", ["guided-backpropagation", "deconvnet"])
def test_relu6_lets_nothing_pass_where_it_is_full(method: str) -> None:
    network = nn.Sequential(nn.Flatten(), nn.ReLU6(), nn.Linear(3, 4, bias=False))
    with torch.no_grad():
        network[2].weight.copy_(torch.tensor([[1.0, 2.0, 3.0]] + [[0.0] * 3] * 3))
    classifier = wrapped(network, (3, 1, 1))
    classifier.scale.fill_(1)
    classifier.shift.copy_(torch.tensor([-1.0, 0.0, 9.0]).view(1, 3, 1, 1))
    found = explain.attribute(classifier, torch.full((1, 3, 1, 1), 0.5), method, 0).values.ravel()
    # Inputs -1/2, 1/2 and 9 1/2: below, within and above.
    assert found.tolist() == ([0.0, 2.0, 0.0] if method == "guided-backpropagation" else [1.0, 2.0, 3.0])


def test_a_network_without_relu_says_that_this_is_the_plain_gradient() -> None:
    classifier = wrapped(Written(torch.tanh))
    found = explain.guided_backpropagation(classifier, pictures(), "owl")
    assert "plain gradient" in found.notes[0]
    assert (found.values == explain.saliency(classifier, pictures(), "owl").values).all()


def test_activations_that_no_rule_is_for_are_named() -> None:
    network = layered()
    network.relu1 = nn.GELU()
    assert "GELU" in explain.guided_backpropagation(wrapped(network), pictures()).notes[0]


def test_a_relu_within_compiled_code_is_refused() -> None:
    with warnings.catch_warnings():
        # Torch warns of what it scripts, and lets one go on.
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    network = nn.Sequential(scripted, nn.Flatten(), nn.Linear(400, 4))
    with pytest.raises(UsageError, match="TorchScript"):
        explain.guided_backpropagation(wrapped(network), pictures())


def test_channels_are_the_most_active_unless_they_are_named() -> None:
    classifier = wrapped(layered())
    with torch.no_grad():
        active = classifier.network[:6](classifier.normalised(pictures())).amax((2, 3)).mean(0)
    found = explain.guided_channels(classifier, pictures(), "relu2", 3)
    assert [int(each.targets[0]) for each in found] == active.argsort(descending=True)[:3].tolist()
    with torch.no_grad():
        maps = classifier.network[:6](classifier.normalised(pictures()))
    assert found[0].scores == pytest.approx(maps[:, int(found[0].targets[0])].amax((1, 2)).numpy(), rel=1e-4)


def test_a_channel_that_is_not_there_is_told_of() -> None:
    with pytest.raises(UsageError, match=r"channels 0 to 11, and no 40"):
        explain.guided_channels(wrapped(layered()), pictures(), "relu2", [1, 40])
