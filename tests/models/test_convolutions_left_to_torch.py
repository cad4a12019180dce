"""Convolutions that the kernels of our own are not made for, and settings that they stand in."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from native_results import WINOGRAD, all_of, assert_close, assert_equal, exact, layer_of
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.models.cpu_kernels import convolutions, native_kernels

pytestmark = pytest.mark.usefixtures("native_here")


def images_of(*shape: int, **settings: Any) -> Callable[[], Tensor]:
    return lambda: torch.randn(shape, generator=torch.Generator().manual_seed(2)).to(**settings)


ARE_ENOUGH = convolutions._are_enough
WIDE, SQUARE = images_of(2, 16, 6, 6), images_of(2, 1, 6, 6)
ELSEWHERE = {
    "float64": (lambda: layer_of(16, 16, 3).double(), images_of(2, 16, 6, 6, dtype=torch.float64)),
    "bfloat16": (lambda: layer_of(16, 16, 3).bfloat16(), images_of(2, 16, 6, 6, dtype=torch.bfloat16)),
    "groups": (lambda: layer_of(16, 16, 3, groups=2), WIDE),
    "one group for a channel": (lambda: layer_of(16, 16, 3, groups=16), WIDE),
    "dilation": (lambda: layer_of(16, 16, 3, dilation=2), WIDE),
    "stride": (lambda: layer_of(16, 16, 3, stride=2), WIDE),
    "stride in one direction": (lambda: layer_of(16, 16, 3, stride=(1, 2)), WIDE),
    "17 channels": (lambda: layer_of(17, 16, 3), images_of(2, 17, 6, 6)),
    "17 filters": (lambda: layer_of(16, 17, 3), WIDE),
    "reflected": (lambda: layer_of(16, 16, 3, padding=1, padding_mode="reflect"), WIDE),
    "another kernel": (lambda: layer_of(16, 16, (3, 1)), WIDE),
    "wide padding": (lambda: layer_of(16, 16, 3, padding=3), WIDE),
    "outputs of 2×2": (lambda: layer_of(16, 16, 3, padding=1), images_of(2, 16, 2, 2)),
    "outputs of 3×2": (lambda: layer_of(16, 16, 3), images_of(2, 16, 5, 4)),
    "one picture without a batch": (lambda: layer_of(16, 16, 3), images_of(16, 6, 6)),
    "colour": (lambda: layer_of(3, 16, 3), images_of(2, 3, 6, 6)),
    "grey in float64": (lambda: layer_of(1, 16, 3).double(), images_of(2, 1, 6, 6, dtype=torch.float64)),
    "grey with dilation": (lambda: layer_of(1, 16, 3, dilation=2), SQUARE),
    "grey with 17 filters": (lambda: layer_of(1, 17, 3), SQUARE),
    "grey, an even kernel, same": (lambda: layer_of(1, 16, 4, padding="same"), SQUARE),
    "grey, circular": (lambda: layer_of(1, 16, 3, padding=1, padding_mode="circular"), SQUARE),
    "grey that asks for a gradient": (lambda: layer_of(1, 16, 3), lambda: SQUARE().requires_grad_()),
}


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("case", ELSEWHERE)
def test_what_the_kernels_are_not_made_for_is_torchs_bit_for_bit(case, convolved) -> None:
    make, images = ELSEWHERE[case]
    layer, given = make(), images()
    with native_kernels(True):
        found = all_of(layer, given)
    layer.__class__ = nn.Conv2d
    assert not convolved
    assert_equal(found, all_of(layer, given))


@pytest.mark.parametrize(
    ("size", "fewest"),
    # Measured beside torch: of 3×3 outputs 128 images are slower and 256 faster, of 5×5 hardly any number is.
    [(3, 224), (4, 50), (5, None), (6, 56), (7, 22), (8, 13), (14, 6), (15, 4)],
)
def test_maps_too_few_or_too_small_to_pay_are_left_to_torch(size, fewest, convolved, monkeypatch) -> None:
    monkeypatch.setattr(convolutions, "_are_enough", ARE_ENOUGH)
    layer = layer_of(16, 16, 3)
    with native_kernels(True), torch.no_grad():
        layer(torch.empty(2000 if fewest is None else fewest - 1, 16, size + 2, size + 2))
        assert not convolved
        if fewest is not None:
            layer(torch.empty(fewest, 16, size + 2, size + 2))
            assert convolved


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_wide_convolution_under_autocast_is_torchs(dtype, convolved) -> None:
    with native_kernels(True), torch.autocast("cpu", dtype):
        assert layer_of(16, 16, 3)(WIDE()).dtype == dtype
    assert not convolved


def test_outside_the_block_and_in_one_that_says_no_all_is_torchs(convolved) -> None:
    layer = layer_of(16, 16, 3)
    for block in (native_kernels(True), native_kernels(False)):
        with block:
            pass
        layer(WIDE())
    with native_kernels(True), native_kernels(False):
        layer(WIDE())
    assert not convolved
    with native_kernels(True):
        layer(WIDE())
    assert convolved


@pytest.mark.parametrize(("channels", "other"), [(16, 32), (16, 8), (1, 3), (1, 16)])
def test_channels_that_do_not_match_are_refused_in_the_words_of_torch(channels, other) -> None:
    with native_kernels(True), pytest.raises(RuntimeError, match=f"to have {channels} channels, but got {other}"):
        layer_of(channels, 16, 3)(torch.randn(2, other, 6, 6))


def test_an_image_smaller_than_the_kernel_is_refused_in_the_words_of_torch() -> None:
    with native_kernels(True), pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        layer_of(1, 16, 7)(torch.randn(2, 1, 6, 6))


def test_the_defaults_of_torch_for_new_tensors_do_not_matter(convolved) -> None:
    layer, images = layer_of(16, 16, 3), WIDE().requires_grad_()
    expected = exact(layer, images)
    factors = torch.randn(expected["output"].shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with native_kernels(True), torch.device("meta"):
            found = all_of(layer, images, factors)
    finally:
        torch.set_default_dtype(before)
    assert convolved
    assert_close(found, expected, WINOGRAD)


def test_transforms_of_torch_func_are_left_to_torch(convolved) -> None:
    layer, images = layer_of(16, 16, 3), WIDE()
    with native_kernels(True):
        found = torch.func.vmap(layer)(torch.stack([images, images]))
    assert not convolved
    torch.testing.assert_close(found[1], F.conv2d(images, layer.weight, layer.bias))


def test_a_network_compiled_by_torch_is_left_to_torch(convolved) -> None:
    layer = layer_of(16, 16, 3)
    with native_kernels(True):
        found = torch.compile(layer, backend="eager", fullgraph=True)(WIDE())
    assert not convolved and torch.equal(found, F.conv2d(WIDE(), layer.weight, layer.bias))
