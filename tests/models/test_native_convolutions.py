"""Convolutions by kernels of our own: the same as torch's in float64, to within the rounding of float32."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from native_results import GREY, WINOGRAD, all_of, assert_close, assert_equal, exact, layer_of, threads
from torch import Tensor
from torch.nn import functional as F

from cnnlab.models.cpu_kernels import Conv2d, native_kernels

pytestmark = pytest.mark.usefixtures("native_here")


def assert_native(layer: Conv2d, images: Tensor, bound: float) -> None:
    with native_kernels(True):
        assert type(layer(images).grad_fn).__name__ in ("_WinogradBackward", "_GreyBackward")
        actual = all_of(layer, images)
    assert_close(actual, exact(layer, images), bound)


# The paddings of the keywords are those of the numbers, 0 and 1.
PADDINGS = {0: (0, 0), 1: (1, 1), 2: (2, 2), (2, 0): (2, 0), (0, 1): (0, 1), "same": (1, 1), "valid": (0, 0)}


@given(
    panels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    size=st.tuples(st.integers(3, 15), st.integers(3, 9)),
    count=st.integers(1, 5) | st.integers(20, 60),
    padding=st.sampled_from(list(PADDINGS)),
    bias=st.booleans(),
    is_last=st.booleans(),
)
@settings(max_examples=60)
def test_a_wide_convolution_and_its_gradients_are_torchs_for_all_shapes(
    panels, size, count, padding, bias, is_last
) -> None:
    channels, filters = 16 * panels[0], 16 * panels[1]
    count = min(count, 6000 // (channels + filters))
    high, wide = (length + 2 - 2 * edge for length, edge in zip(size, PADDINGS[padding], strict=True))
    layer = layer_of(channels, filters, 3, padding=padding, bias=bias)
    images = torch.randn(count, channels, high, wide)
    if is_last:
        images = images.contiguous(memory_format=torch.channels_last)
    assert_native(layer, images.requires_grad_(), WINOGRAD)


@pytest.mark.parametrize("count", [1, 41, 42, 43, 85])
def test_a_block_of_tiles_may_be_full_or_have_any_remainder(count) -> None:
    assert_native(layer_of(16, 16, 3, padding=1), torch.randn(count, 16, 3, 4).requires_grad_(), WINOGRAD)


LAYOUTS = {
    "channels first": lambda maps: maps.contiguous(),
    "channels last": lambda maps: maps.contiguous(memory_format=torch.channels_last),
    "a part of more channels": lambda maps: torch.cat([maps, maps], 1)[:, : maps.shape[1]],
    "every other column": lambda maps: maps.repeat_interleave(2, 3)[..., ::2],
    "the same picture again": lambda maps: maps[:1].expand(4, -1, -1, -1),
    "from the middle of a batch": lambda maps: torch.cat([maps, maps])[1:4],
    "strides of a single picture": lambda maps: maps[:1].as_strided(maps[:1].shape, (7, *maps.stride()[1:])),
}


@pytest.mark.parametrize("channels", [1, 16])
@pytest.mark.parametrize("size", [(6, 7), (1, 7), (6, 1)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_maps_may_lie_anyhow_in_memory(channels, size, layout) -> None:
    torch.manual_seed(1)
    images = LAYOUTS[layout](torch.randn(3, channels, *size)).requires_grad_(channels > 1)
    assert_native(layer_of(channels, 16, 3, padding=2), images, WINOGRAD)


def test_a_gradient_may_lie_anyhow_in_memory() -> None:
    layer, images = layer_of(16, 16, 3), torch.randn(3, 16, 6, 7).requires_grad_()
    with native_kernels(True):
        actual = torch.autograd.grad(layer(images).sum(), [images, layer.weight, layer.bias])
    expected = torch.autograd.grad(F.conv2d(images, layer.weight, layer.bias).sum(), [images, layer.weight, layer.bias])
    for mine, right in zip(actual, expected, strict=True):
        torch.testing.assert_close(mine, right, rtol=0, atol=WINOGRAD * float(right.abs().max()))


@pytest.mark.parametrize("channels", [1, 16])
def test_weights_and_bias_may_lie_anyhow_in_memory(channels) -> None:
    layer = layer_of(channels, 32, 3)
    layer.weight.data = torch.randn(3, 3, 32, channels).permute(2, 3, 0, 1)
    layer.bias.data = torch.randn(64)[::2]
    assert_native(layer, torch.randn(2, channels, 7, 6), WINOGRAD)


def test_only_the_gradients_asked_for_are_given() -> None:
    layer = layer_of(16, 16, 3)
    layer.weight.requires_grad_(False)
    with native_kernels(True):
        layer(torch.randn(2, 16, 6, 6)).sum().backward()
    assert layer.weight.grad is None and torch.equal(layer.bias.grad, torch.full((16,), 32.0))


def test_a_kernel_that_is_one_in_the_middle_gives_the_maps_back() -> None:
    layer = layer_of(32, 32, 3, padding=1, bias=False)
    layer.weight.data.zero_()
    layer.weight.data[range(32), range(32), 1, 1] = 1
    images = torch.randn(2, 32, 9, 10)
    with native_kernels(True):
        torch.testing.assert_close(layer(images), images, rtol=0, atol=1e-5)


def test_a_wide_convolution_worked_out_by_hand() -> None:
    layer = layer_of(16, 16, 3, padding=1)
    layer.weight.data.fill_(1)
    layer.bias.data.copy_(torch.arange(16))
    with native_kernels(True):
        maps = layer(torch.ones(1, 16, 5, 5))
    # A corner sees 4 places, an edge 6 and the middle 9, in 16 channels.
    rows = torch.tensor([64.0, 96, 96, 96, 64]), torch.tensor([96.0, 144, 144, 144, 96])
    expected = torch.stack([rows[0], rows[1], rows[1], rows[1], rows[0]])
    torch.testing.assert_close(maps[0], expected + torch.arange(16.0).view(-1, 1, 1), rtol=0, atol=1e-3)


@given(
    kernel=st.sampled_from([(3, 3), (5, 3), (7, 7), (1, 1), (2, 4), (1, 9)]),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 4)),
    size=st.tuples(st.integers(7, 17), st.integers(9, 13)),
    count=st.integers(1, 4),
    filters=st.sampled_from([16, 48]),
    bias=st.booleans(),
)
@settings(max_examples=60)
def test_a_convolution_of_grey_images_is_torchs_for_all_shapes(
    kernel, stride, padding, size, count, filters, bias
) -> None:
    layer = layer_of(1, filters, kernel, stride=stride, padding=padding, bias=bias)
    assert_native(layer, torch.randn(count, 1, *size), GREY)


def test_a_convolution_of_a_grey_image_worked_out_by_hand(convolved) -> None:
    layer = layer_of(1, 16, 3, padding=1)
    layer.weight.data.copy_(torch.arange(16.0).view(-1, 1, 1, 1).expand(16, 1, 3, 3))
    layer.bias.data.fill_(0.5)
    image = torch.arange(1.0, 10).view(1, 1, 3, 3)
    sums = torch.tensor([[12.0, 21, 16], [27, 45, 33], [24, 39, 28]])
    with native_kernels(True):
        maps = layer(image)
        maps.sum().backward()
    assert convolved == ["grey"]
    for factor in range(16):
        assert torch.equal(maps[0, factor], factor * sums + 0.5)
        # The weight in the middle meets every pixel, that on the upper left those that have a neighbour there.
        assert torch.equal(layer.weight.grad[factor, 0], torch.tensor([[12.0, 21, 16], [27, 45, 33], [24, 39, 28]]))
        assert layer.bias.grad[factor] == 9


def test_under_autocast_a_grey_image_is_convolved_in_float32_and_rounded_once(convolved) -> None:
    layer, images = layer_of(1, 16, 3, padding=1), torch.randn(3, 1, 9, 7)
    expected = exact(layer, images)["output"]
    with native_kernels(True), torch.autocast("cpu", torch.bfloat16):
        maps = layer(images)
    assert convolved == ["grey"] and maps.dtype == torch.bfloat16
    # Half of the distance of two neighbours with 8 digits.
    assert ((maps.double() - expected).abs() <= expected.abs() * 2**-8 + 1e-6).all()
    factors = torch.randn(maps.shape).bfloat16()
    actual = torch.autograd.grad(maps, [layer.weight, layer.bias], factors)
    twin = copy.deepcopy(layer).double()
    right = torch.autograd.grad(
        F.conv2d(images.double(), twin.weight, twin.bias, padding=1), list(twin.parameters()), factors
    )
    assert [each.dtype for each in actual] == [torch.float32] * 2
    assert (actual[0] - right[0]).abs().max() <= GREY * right[0].abs().max()
    assert (actual[1] - right[1]).abs().max() <= 2**-8 * right[1].abs().max()


def test_results_are_the_same_bit_for_bit_whichever_thread_is_first() -> None:
    layer, grey = layer_of(32, 48, 3, padding=1), layer_of(1, 16, 5)
    maps, images = torch.randn(40, 32, 11, 10).requires_grad_(), torch.randn(40, 1, 20, 20)
    for network, inputs in ((layer, maps), (grey, images)):
        with native_kernels(True):
            alone = all_of(network, inputs)
            with threads(2):
                together = all_of(network, inputs)
                for _ in range(5):
                    assert_equal(all_of(network, inputs), together)
        assert torch.equal(alone["output"], together["output"])
        # Of the weights each thread sums its own share.
        assert_close(together, alone, 1e-5)
