"""What layers put out for pictures."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnnlab import explain
from cnnlab.core.errors import UsageError
from cnnlab.explain import Activations
from cnnlab.models import Classifier
from cnnlab.testing import check_tool, conv_classifier, linear_classifier, tiny_image


class Twice(nn.Module):
    """A layer that pictures pass twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv2d(1, 1, 1), nn.ReLU(inplace=True), nn.Linear(4, 2)
        nn.init.constant_(self.conv.weight, -2.0)
        nn.init.zeros_(self.conv.bias)

    def forward(self, input: Tensor) -> Tensor:
        return self.head(self.relu(self.conv(self.conv(input))).flatten(1))


def classifier_of(network: nn.Module) -> Classifier:
    return Classifier(network, (1, 2, 2), [0], [1], {"label": ("a", "b")}, "classes", "module(own)").eval()


def some(values: np.ndarray) -> Activations:
    return Activations("m", "l", values, np.arange(values.shape[1]), values.shape[1], np.zeros((1, 1, 2, 2)))


def test_maps_are_what_the_layer_gives() -> None:
    found = explain.activations(conv_classifier(), tiny_image()[0], "relu1")
    assert found.values.tolist() == tiny_image().tolist() == found.images.tolist()
    assert found.values.dtype == np.float32 and found.has_maps
    assert explain.activations(conv_classifier(), tiny_image(), "head").values.tolist() == [[5.0, 2.5]]


def test_bytes_are_pixels_too() -> None:
    grey = np.full((1, 2, 2), 51, np.uint8)
    assert explain.activations(conv_classifier(), grey, "relu1").values.ravel() == pytest.approx([0.2] * 4)


def test_of_a_layer_that_is_passed_twice_the_first_pass_is_shown_and_said() -> None:
    found = explain.activations(classifier_of(Twice()), tiny_image(), "conv")
    assert np.array_equal(found.values, -2 * tiny_image().numpy())
    assert found.notes == ("pictures pass conv 2 times, and this is what it puts out first",)


def test_channels_are_ordered_by_their_mean_magnitude() -> None:
    maps = np.zeros((1, 3, 2, 2), np.float32)
    maps[0, 0], maps[0, 1, 0, 0], maps[0, 2] = 0.25, 3.0, -0.5
    found = some(maps)
    assert found.strengths.tolist() == [[0.25, 0.75, 0.5]]
    assert found.most_active(0).tolist() == [1, 2, 0] and found.most_active(0, 1).tolist() == [1]


def test_the_scale_starts_at_zero_unless_something_is_negative() -> None:
    assert some(np.array([[0.0, 2.0]], np.float32)).limits(0) == (0.0, 2.0)
    assert some(np.array([[-3.0, 2.0]], np.float32)).limits(0) == (-3.0, 3.0)
    assert some(np.zeros((1, 2), np.float32)).limits(0) == (0.0, 1.0)
    sparse = np.zeros((1, 1000), np.float32)
    sparse[0, 0] = 7
    # Where the percentile is 0, the largest value ends the scale.
    assert some(sparse).limits(0, percentile=99) == (0.0, 7.0)


def test_the_scale_is_of_what_is_shown() -> None:
    values = np.arange(100, dtype=np.float32).reshape(1, 5, 20)
    values[0, 0, 0] = -1
    # The 95th percentile of 80 to 99, and of 60 to 99; the negative one is not looked at.
    assert some(values).limits(0, 95, [4]) == pytest.approx((0.0, 80 + 0.95 * 19))
    assert some(values).limits(0, 95, [3, 4]) == pytest.approx((0.0, 60 + 0.95 * 39))
    assert some(values).limits(0, 100) == (-99.0, 99.0)


def test_what_there_is_not_is_answered_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"no layer 'conv7'\. Did you mean conv1"):
        explain.activations(conv_classifier(), tiny_image(), "conv7")
    with pytest.raises(UsageError, match="relu1 of the classifier has 1 channel, 0 to 0; got 3"):
        explain.activations(conv_classifier(), tiny_image(), "relu1", 3)
    with pytest.raises(UsageError, match="pictures as N×1×2×2"):
        explain.activations(conv_classifier(), torch.zeros(1, 3, 2, 2), "relu1")


def test_networks_without_convolutions_have_numbers() -> None:
    found = explain.activations(linear_classifier(), tiny_image(), "head", [2, 0])
    assert found.values.tolist() == [[2.75, 3.75]] and not found.has_maps and found.count == 3


def test_half_precision_around_changes_nothing() -> None:
    plain = explain.activations(conv_classifier(), tiny_image() / 3, "relu1").values
    with torch.autocast("cpu", torch.bfloat16):
        assert np.array_equal(explain.activations(conv_classifier(), tiny_image() / 3, "relu1").values, plain)


def test_models_are_left_as_found() -> None:
    check_tool(lambda classifier, pixels: explain.activations(classifier, pixels, "relu2").values)


def test_tokens_have_their_channels_last() -> None:
    network = nn.Sequential(OrderedDict(tokens=nn.Flatten(2), pool=nn.Flatten(), head=nn.Linear(4, 2)))
    found = explain.activations(classifier_of(network), tiny_image(), "tokens", [3, 1])
    assert found.values.tolist() == [[[1.0, 0.5]]] and found.count == 4
