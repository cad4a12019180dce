"""The kernels of convolutions, and what each filter makes of a picture."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab import explain
from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier
from cnnlab.testing import check_tool, conv_classifier, linear_classifier, tiny_image


def classifier_of(network: nn.Module, shape: tuple[int, int, int] = (3, 6, 6), **options: object) -> Classifier:
    means = [0.0] * shape[0], [1.0] * shape[0]
    return Classifier(network, shape, *means, {"label": ("a", "b")}, "classes", "module(own)", **options).eval()


def two_convolutions(**first: object) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 4, 3, **first),
            relu1=nn.ReLU(inplace=True),
            conv2=nn.Conv2d(4, 6, 3),
            flatten=nn.Flatten(),
            head=nn.LazyLinear(2),
        )
    )


@pytest.fixture
def colour() -> Classifier:
    with torch.random.fork_rng():
        network = two_convolutions()
        network(torch.zeros(1, 3, 6, 6))
    return classifier_of(network)


def test_filters_are_the_weights_and_the_first_convolution_is_taken_unasked(colour: Classifier) -> None:
    found = explain.filters(colour)
    assert (found.layer, found.count, found.is_colour) == ("conv1", 4, True)
    assert np.array_equal(found.kernels, colour.network.conv1.weight.detach().numpy())
    assert np.array_equal(found.biases, colour.network.conv1.bias.detach().numpy())


def test_colours_have_zero_at_grey_and_the_largest_weight_at_an_end(colour: Classifier) -> None:
    weight = torch.zeros(4, 3, 3, 3)
    weight[0, 0, 1, 1], weight[1, 2, 0, 0] = -0.5, 0.25
    colour.network.conv1.weight.data.copy_(weight)
    shown = explain.filters(colour).in_colour()
    assert shown[0, 1, 1].tolist() == [0.0, 0.5, 0.5]
    assert shown[1, 0, 0].tolist() == [0.5, 0.5, 0.75]
    assert np.unique(shown[2]).tolist() == [0.5]


def test_further_in_the_inputs_are_no_colours(colour: Classifier) -> None:
    found = explain.filters(colour, "conv2", [5, 0])
    assert found.numbers.tolist() == [5, 0] and not found.is_colour and not found.reads_pixels
    assert np.array_equal(found.kernels[0], colour.network.conv2.weight[5].detach().numpy())
    with pytest.raises(UsageError, match="conv2 of the classifier does not read the colours"):
        found.in_colour()


def test_one_pattern_says_all_of_a_filter_that_reads_its_inputs_alike(colour: Classifier) -> None:
    pattern = torch.arange(9.0).reshape(3, 3) - 4
    with torch.no_grad():
        colour.network.conv2.weight[0] = torch.tensor([1.0, 2.0, 0.0, -2.0])[:, None, None] * pattern
        colour.network.conv2.weight[1] = 0
        # Two inputs with patterns at right angles: one says 9/13 of it.
        colour.network.conv2.weight[2] = 0
        colour.network.conv2.weight[2, 0, 0, 0], colour.network.conv2.weight[2, 1, 2, 2] = 3, 2
    patterns, shares = explain.filters(colour, "conv2").patterns()
    # Inputs sum to a positive number, and their squares to 9.
    assert np.allclose(patterns[0], 3 * pattern.numpy(), atol=1e-5)
    assert shares[:3] == pytest.approx([1, 1, 9 / 13])
    assert patterns[2, 0, 0] == pytest.approx(3) and not patterns[1].any()


def test_strongest_inputs_are_those_with_the_largest_weights(colour: Classifier) -> None:
    with torch.no_grad():
        colour.network.conv2.weight.fill_(0.1)
        colour.network.conv2.weight[0, 3], colour.network.conv2.weight[5, 1] = 2.0, -1.0
    assert explain.filters(colour, "conv2").strongest_inputs(2).tolist() == [1, 3]


def test_groups_and_permuted_pixels_are_told_of() -> None:
    with torch.random.fork_rng():
        network = two_convolutions(groups=1)
        network.conv2 = nn.Conv2d(4, 6, 3, groups=2)
        network(torch.zeros(1, 3, 6, 6))
    permuted = classifier_of(network, permute=1)
    assert explain.filters(permuted, "conv2").kernels.shape == (6, 2, 3, 3)
    assert explain.filters(permuted, "conv2").notes == ("each filter reads one of 2 groups of inputs",)
    assert "permuted" in explain.filters(permuted).notes[0]


def test_a_transposed_convolution_has_a_kernel_for_each_filter() -> None:
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False)
    network = nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, 4, 3), up=layer, pool=nn.AdaptiveAvgPool2d(1)))
    found = explain.filters(classifier_of(network), "up")
    assert found.kernels.shape == (6, 2, 3, 3) and found.biases is None
    # Filter 4 is the second of group 1, which reads inputs 2 and 3.
    assert np.array_equal(found.kernels[4], layer.weight[2:4, 1].detach().numpy())


def test_responses_are_signed_and_those_of_the_convolution(colour: Classifier) -> None:
    with torch.no_grad():
        colour.network.conv1.bias[2] = -0.5
    pixels = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    found = explain.filter_responses(colour, pixels, numbers=[2])
    expected = F.conv2d(pixels, colour.network.conv1.weight, colour.network.conv1.bias)[:, 2:3]
    assert np.allclose(found.values, expected.detach().numpy(), atol=1e-6)
    # The ReLU behind it, which works in place, has not reached them.
    assert found.values.min() < 0


def test_what_there_is_not_is_answered_with_what_there_is(colour: Classifier) -> None:
    with pytest.raises(UsageError, match=r"no convolution relu1\. Valid: conv1, conv2\."):
        explain.filters(colour, "relu1")
    with pytest.raises(UsageError, match=r"conv1 of the classifier has 4 filters, 0 to 3; got 4\."):
        explain.filters(colour, "conv1", 4)
    with pytest.raises(UsageError, match="no convolution, and so no filters"):
        explain.filters(linear_classifier())


def kernels(classifier: Classifier, pixels: Tensor) -> np.ndarray:
    return explain.filters(classifier, "conv2").kernels


def responses(classifier: Classifier, pixels: Tensor) -> np.ndarray:
    return explain.filter_responses(classifier, pixels, "conv2").values


@pytest.mark.parametrize("tool", [kernels, responses])
def test_models_are_left_as_found(tool) -> None:
    check_tool(tool)


def test_the_tiny_network_gives_what_it_sees() -> None:
    assert explain.filter_responses(conv_classifier(), tiny_image()).values.tolist() == tiny_image().tolist()
