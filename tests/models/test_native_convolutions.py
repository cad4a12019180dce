"""Convolutions by kernels of our own: the same as torch's in float64, to within the rounding of float32."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.models.cpu_kernels import Conv2d, modules, native_kernels, why_not

WINOGRAD = 1e-4
"""Bound of errors as a part of the largest value; over 700 drawn shapes the largest was 1.2e-5, torch's 5e-6."""
GREY = 1e-5
"""Likewise, of sums taken as in the definition; the largest was 1.9e-6."""


@pytest.fixture(autouse=True)
def _kernels() -> Iterator[None]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each convolution that our kernels computed."""
    seen: list[str] = []
    real = modules.convolve

    def counted(input: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        seen.append("grey" if weight.shape[1] == 1 else "winograd")
        return real(input, weight, *rest)

    monkeypatch.setattr(modules, "convolve", counted)
    return seen


def layer_of(*sizes: Any, seed: int = 0, **settings: Any) -> Conv2d:
    torch.manual_seed(seed)
    return Conv2d(*sizes, **settings)


def all_of(layer: nn.Module, pictures: Tensor, factors: Tensor | None = None) -> dict[str, Tensor]:
    """The output and the gradients of Σ factors · output, drawn where there are none."""
    wanted = [("input", pictures)] if pictures.requires_grad else []
    wanted += [(name, parameter) for name, parameter in layer.named_parameters() if parameter.requires_grad]
    output = layer(pictures)
    if factors is None:
        factors = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output.dtype)
    gradients = torch.autograd.grad(output, [tensor for _, tensor in wanted], factors.to(output.dtype))
    return {"output": output.detach()} | {name: each for (name, _), each in zip(wanted, gradients, strict=True)}


def exact(layer: nn.Module, pictures: Tensor) -> dict[str, Tensor]:
    twin = pictures.detach().double().requires_grad_(pictures.requires_grad)
    with native_kernels(False):
        return all_of(copy.deepcopy(layer).double(), twin)


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor], bound: float) -> None:
    assert found.keys() == expected.keys()
    for name, right in expected.items():
        assert found[name].shape == right.shape
        assert (found[name].double() - right).abs().max() <= bound * right.abs().max(), name


def assert_native(layer: Conv2d, pictures: Tensor, bound: float) -> None:
    with native_kernels(True):
        assert type(layer(pictures).grad_fn).__name__ in ("_WinogradBackward", "_GreyBackward")
        found = all_of(layer, pictures)
    assert_close(found, exact(layer, pictures), bound)


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
    pictures = torch.randn(count, channels, high, wide)
    if is_last:
        pictures = pictures.contiguous(memory_format=torch.channels_last)
    assert_native(layer, pictures.requires_grad_(), WINOGRAD)


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
    pictures = LAYOUTS[layout](torch.randn(3, channels, *size)).requires_grad_(channels > 1)
    assert_native(layer_of(channels, 16, 3, padding=2), pictures, WINOGRAD)


def test_a_gradient_may_lie_anyhow_in_memory() -> None:
    layer, pictures = layer_of(16, 16, 3), torch.randn(3, 16, 6, 7).requires_grad_()
    with native_kernels(True):
        found = torch.autograd.grad(layer(pictures).sum(), [pictures, layer.weight, layer.bias])
    expected = torch.autograd.grad(
        F.conv2d(pictures, layer.weight, layer.bias).sum(), [pictures, layer.weight, layer.bias]
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=WINOGRAD * float(other.abs().max()))


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
    pictures = torch.randn(2, 32, 9, 10)
    with native_kernels(True):
        torch.testing.assert_close(layer(pictures), pictures, rtol=0, atol=1e-5)


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


def test_a_convolution_of_a_grey_image_worked_out_by_hand(calls) -> None:
    layer = layer_of(1, 16, 3, padding=1)
    layer.weight.data.copy_(torch.arange(16.0).view(-1, 1, 1, 1).expand(16, 1, 3, 3))
    layer.bias.data.fill_(0.5)
    image = torch.arange(1.0, 10).view(1, 1, 3, 3)
    sums = torch.tensor([[12.0, 21, 16], [27, 45, 33], [24, 39, 28]])
    with native_kernels(True):
        maps = layer(image)
        maps.sum().backward()
    assert calls == ["grey"]
    for factor in range(16):
        assert torch.equal(maps[0, factor], factor * sums + 0.5)
        # The weight in the middle meets every pixel, that on the upper left those that have a neighbour there.
        assert torch.equal(layer.weight.grad[factor, 0], torch.tensor([[12.0, 21, 16], [27, 45, 33], [24, 39, 28]]))
        assert layer.bias.grad[factor] == 9


def test_under_autocast_a_grey_image_is_convolved_in_float32_and_rounded_once(calls) -> None:
    layer, pictures = layer_of(1, 16, 3, padding=1), torch.randn(3, 1, 9, 7)
    expected = exact(layer, pictures)["output"]
    with native_kernels(True), torch.autocast("cpu", torch.bfloat16):
        maps = layer(pictures)
    assert calls == ["grey"] and maps.dtype == torch.bfloat16
    # Half of the distance of two neighbours with 8 digits.
    assert ((maps.double() - expected).abs() <= expected.abs() * 2**-8 + 1e-6).all()
    factors = torch.randn(maps.shape).bfloat16()
    found = torch.autograd.grad(maps, [layer.weight, layer.bias], factors)
    twin = copy.deepcopy(layer).double()
    right = torch.autograd.grad(
        F.conv2d(pictures.double(), twin.weight, twin.bias, padding=1), list(twin.parameters()), factors
    )
    assert [each.dtype for each in found] == [torch.float32] * 2
    assert (found[0] - right[0]).abs().max() <= GREY * right[0].abs().max()
    assert (found[1] - right[1]).abs().max() <= 2**-8 * right[1].abs().max()


def pictures_of(*shape: int, **settings: Any) -> Callable[[], Tensor]:
    return lambda: torch.randn(shape, generator=torch.Generator().manual_seed(2)).to(**settings)


WIDE, SQUARE = pictures_of(2, 16, 6, 6), pictures_of(2, 1, 6, 6)
ELSEWHERE = {
    "float64": (lambda: layer_of(16, 16, 3).double(), pictures_of(2, 16, 6, 6, dtype=torch.float64)),
    "bfloat16": (lambda: layer_of(16, 16, 3).bfloat16(), pictures_of(2, 16, 6, 6, dtype=torch.bfloat16)),
    "groups": (lambda: layer_of(16, 16, 3, groups=2), WIDE),
    "one group for a channel": (lambda: layer_of(16, 16, 3, groups=16), WIDE),
    "dilation": (lambda: layer_of(16, 16, 3, dilation=2), WIDE),
    "stride": (lambda: layer_of(16, 16, 3, stride=2), WIDE),
    "stride in one direction": (lambda: layer_of(16, 16, 3, stride=(1, 2)), WIDE),
    "17 channels": (lambda: layer_of(17, 16, 3), pictures_of(2, 17, 6, 6)),
    "17 filters": (lambda: layer_of(16, 17, 3), WIDE),
    "reflected": (lambda: layer_of(16, 16, 3, padding=1, padding_mode="reflect"), WIDE),
    "another kernel": (lambda: layer_of(16, 16, (3, 1)), WIDE),
    "wide padding": (lambda: layer_of(16, 16, 3, padding=3), WIDE),
    "outputs of 2×2": (lambda: layer_of(16, 16, 3, padding=1), pictures_of(2, 16, 2, 2)),
    "outputs of 3×2": (lambda: layer_of(16, 16, 3), pictures_of(2, 16, 5, 4)),
    "one picture without a batch": (lambda: layer_of(16, 16, 3), pictures_of(16, 6, 6)),
    "colour": (lambda: layer_of(3, 16, 3), pictures_of(2, 3, 6, 6)),
    "grey in float64": (lambda: layer_of(1, 16, 3).double(), pictures_of(2, 1, 6, 6, dtype=torch.float64)),
    "grey with dilation": (lambda: layer_of(1, 16, 3, dilation=2), SQUARE),
    "grey with 17 filters": (lambda: layer_of(1, 17, 3), SQUARE),
    "grey, an even kernel, same": (lambda: layer_of(1, 16, 4, padding="same"), SQUARE),
    "grey, circular": (lambda: layer_of(1, 16, 3, padding=1, padding_mode="circular"), SQUARE),
    "grey that asks for a gradient": (lambda: layer_of(1, 16, 3), lambda: SQUARE().requires_grad_()),
}


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("case", ELSEWHERE)
def test_what_the_kernels_are_not_made_for_is_torchs_bit_for_bit(case, calls) -> None:
    make, pictures = ELSEWHERE[case]
    layer, given = make(), pictures()
    with native_kernels(True):
        found = all_of(layer, given)
    layer.__class__ = nn.Conv2d
    expected = all_of(layer, given)
    assert not calls and found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_wide_convolution_under_autocast_is_torchs(dtype, calls) -> None:
    with native_kernels(True), torch.autocast("cpu", dtype):
        assert layer_of(16, 16, 3)(WIDE()).dtype == dtype
    assert not calls


def test_outside_the_block_and_in_one_that_says_no_all_is_torchs(calls) -> None:
    layer = layer_of(16, 16, 3)
    for block in (native_kernels(True), native_kernels(False)):
        with block:
            pass
        layer(WIDE())
    with native_kernels(True), native_kernels(False):
        layer(WIDE())
    assert not calls
    with native_kernels(True):
        layer(WIDE())
    assert calls


@pytest.mark.parametrize(("channels", "other"), [(16, 32), (16, 8), (1, 3), (1, 16)])
def test_channels_that_do_not_match_are_refused_in_the_words_of_torch(channels, other) -> None:
    with native_kernels(True), pytest.raises(RuntimeError, match=f"to have {channels} channels, but got {other}"):
        layer_of(channels, 16, 3)(torch.randn(2, other, 6, 6))


def test_an_image_smaller_than_the_kernel_is_refused_in_the_words_of_torch() -> None:
    with native_kernels(True), pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        layer_of(1, 16, 7)(torch.randn(2, 1, 6, 6))


def test_the_defaults_of_torch_for_new_tensors_do_not_matter(calls) -> None:
    layer, pictures = layer_of(16, 16, 3), WIDE().requires_grad_()
    expected = exact(layer, pictures)
    factors = torch.randn(expected["output"].shape, generator=torch.Generator().manual_seed(1))
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with native_kernels(True), torch.device("meta"):
            found = all_of(layer, pictures, factors)
    finally:
        torch.set_default_dtype(before)
    assert calls
    assert_close(found, expected, WINOGRAD)


def test_transforms_of_torch_func_are_left_to_torch(calls) -> None:
    layer, pictures = layer_of(16, 16, 3), WIDE()
    with native_kernels(True):
        found = torch.func.vmap(layer)(torch.stack([pictures, pictures]))
    assert not calls
    torch.testing.assert_close(found[1], F.conv2d(pictures, layer.weight, layer.bias))


def test_a_network_compiled_by_torch_is_left_to_torch(calls) -> None:
    layer = layer_of(16, 16, 3)
    with native_kernels(True):
        found = torch.compile(layer, backend="eager", fullgraph=True)(WIDE())
    assert not calls and torch.equal(found, F.conv2d(WIDE(), layer.weight, layer.bias))


def test_results_are_the_same_bit_for_bit_whichever_thread_is_first() -> None:
    layer, grey = layer_of(32, 48, 3, padding=1), layer_of(1, 16, 5)
    maps, images = torch.randn(40, 32, 11, 10).requires_grad_(), torch.randn(40, 1, 20, 20)
    with native_kernels(True):
        alone = all_of(layer, maps), all_of(grey, images)
        torch.set_num_threads(2)
        together = all_of(layer, maps), all_of(grey, images)
        for _ in range(5):
            again = all_of(layer, maps), all_of(grey, images)
            for one, other in zip(together, again, strict=True):
                assert all(torch.equal(one[name], other[name]) for name in one)
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one["output"], other["output"])
        # Of the weights each thread sums its own share.
        assert_close(other, one, 1e-5)
