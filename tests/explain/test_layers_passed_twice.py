"""Layers that pictures pass several times, and networks whose last feature map cannot be told: never a silent guess."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab import explain
from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.evaluation import predictor_of
from cnnlab.explain.embedding.codes import codes_of
from cnnlab.models import features_of
from tests.explain.networks import pictures, wrapped

CAMS = ("grad-cam", "grad-cam++", "hirescam", "layer-cam", "score-cam", "ablation-cam", "guided-grad-cam")


class Rolled(nn.Module):
    """One convolution and one ReLU used twice; or two of each with the same weights."""

    def __init__(self, is_apart: bool) -> None:
        super().__init__()
        with seeds.scope(4, "rolled"):
            self.stem, self.conv, self.head = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 5, 3, padding=1), nn.Linear(5, 4)
        self.relu, self.is_apart = nn.ReLU(), is_apart
        if is_apart:
            self.second_conv, self.second_relu = copy.deepcopy(self.conv), nn.ReLU()

    def forward(self, input: Tensor) -> Tensor:
        """N×3×H×W to N×4."""
        maps = self.relu(self.conv(self.stem(input)))
        conv, relu = (self.second_conv, self.second_relu) if self.is_apart else (self.conv, self.relu)
        output: Tensor = self.head(relu(conv(maps)).mean((2, 3)))
        return output


ROLLED, APART = wrapped(Rolled(False)), wrapped(Rolled(True))


@pytest.mark.parametrize("method", CAMS)
def test_the_calls_of_a_layer_that_is_used_twice_are_told_apart(method: str) -> None:
    for own, theirs in (("relu, call 1", "relu"), ("relu, call 2", "second_relu"), ("conv, call 2", "second_conv")):
        found = explain.attribute(ROLLED, pictures(), method, "owl", own)
        wanted = explain.attribute(APART, pictures(), method, "owl", theirs)
        np.testing.assert_allclose(found.values, wanted.values, rtol=1e-4, atol=1e-6 * np.abs(wanted.values).max())
        assert found.layer == own and np.abs(found.values).max() > 0


def test_the_last_map_is_that_of_the_last_call() -> None:
    found, wanted = (explain.grad_cam(each, pictures(), "owl") for each in (ROLLED, APART))
    assert (found.layer, wanted.layer) == ("relu, call 2", "second_relu")
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-4, atol=1e-7)


def test_which_call_is_meant_must_be_said_and_be_there() -> None:
    with pytest.raises(UsageError, match=r"pass the layer relu 2 times.*layer='relu, call 2'"):
        explain.grad_cam(ROLLED, pictures(), layer="relu")
    for tool in (explain.grad_cam, explain.guided_channels, explain.activations):
        with pytest.raises(UsageError, match=r"pass the layer relu 2 times, so that there is no call 3"):
            tool(ROLLED, pictures(), layer="relu, call 3")
    with pytest.raises(UsageError, match=r"pass the layer stem once, so that there is no call 2"):
        explain.maximize(ROLLED, "stem, call 2", steps=1)
    with pytest.raises(UsageError, match=r"no layer 'rely'.*relu"):
        explain.grad_cam(ROLLED, pictures(), layer="rely, call 2")


def test_activations_codes_channels_and_maximised_pictures_are_of_the_call_that_is_named() -> None:
    mine, theirs = ("relu, call 2", "second_relu")
    found, wanted = explain.activations(ROLLED, pictures(), mine), explain.activations(APART, pictures(), theirs)
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-5, atol=1e-7)
    assert not found.notes and "puts out first" in explain.activations(ROLLED, pictures(), "relu").notes[0]
    assert torch.allclose(features_of(ROLLED, mine, pictures()), features_of(APART, theirs, pictures()))
    codes = codes_of(predictor_of(ROLLED), [pictures()], mine)
    assert codes.space.startswith("outputs of relu, call 2") and codes.values.shape == (5, 500)
    first, second = (
        explain.guided_channels(each, pictures(), layer, [1, 3]) for each, layer in ((ROLLED, mine), (APART, theirs))
    )
    np.testing.assert_allclose(first[1].values, second[1].values, rtol=1e-4, atol=1e-7)
    made, made_apart = (explain.maximize(each, layer, 2, steps=3) for each, layer in ((ROLLED, mine), (APART, theirs)))
    np.testing.assert_allclose(made.images, made_apart.images, atol=1e-4)
    assert "first of them" not in " ".join(made.notes)


def test_maps_of_a_single_place_are_told_of_as_such() -> None:
    network = nn.Sequential(nn.Conv2d(3, 6, 12), nn.ReLU(), nn.Flatten(), nn.Linear(6, 4))
    with pytest.raises(UsageError, match=r"a single place each, 1×1.*integrated-gradients"):
        explain.grad_cam(wrapped(network), pictures())


def test_a_map_of_one_place_at_the_end_leaves_the_last_that_has_more() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 10), nn.ReLU(), nn.Flatten(), nn.Linear(6, 4)
    )
    assert explain.grad_cam(wrapped(network), pictures()).layer == "1"


class Functional(nn.Module):
    """A convolution as a function, so that no layer with weights puts out feature maps."""

    def __init__(self) -> None:
        super().__init__()
        with seeds.scope(5, "functional"):
            self.kernel = nn.Parameter(torch.randn(4, 3, 3, 3) / 5)
            self.act, self.fc = nn.ReLU(), nn.Linear(4, 4)

    def forward(self, input: Tensor) -> Tensor:
        """N×3×H×W to N×4."""
        output: Tensor = self.fc(self.act(F.conv2d(input, self.kernel)).mean((2, 3)))
        return output


def test_where_no_layer_with_weights_has_maps_one_that_has_is_named_and_can_be_taken() -> None:
    classifier = wrapped(Functional())
    with pytest.raises(UsageError, match=r"no layer with weights.*layer=act, or take a method"):
        explain.grad_cam(classifier, pictures())
    assert np.abs(explain.grad_cam(classifier, pictures(), layer="act").values).max() > 0


def test_maps_of_the_head_alone_are_named_and_not_taken_unasked() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

        def forward(self, input: Tensor) -> Tensor:
            output: Tensor = self.head(input)
            return output

    with pytest.raises(UsageError, match=r"before the head.*layer=head\.0"):
        explain.grad_cam(wrapped(Head()), pictures())
