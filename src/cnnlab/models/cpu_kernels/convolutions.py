"""Convolutions in float32 by the kernels of this folder, as autograd functions over torch's tensors.

Each function takes N×C×H×W tensors; they are laid out as N×H×W×C in memory (channels-last), where they are not yet.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cnnlab.models.cpu_kernels.layout import PANEL, address, are_plain, channels_last, empty, empty_maps, longs, sizes
from cnnlab.models.cpu_kernels.native import library

_POINTS = 36
# Tiles handled at once: a multiple of the 6 or 14 rows that a product holds in registers. With 24 to 60 the times are
# alike; more leave the cache, fewer read the weights too often.
_ROOM = 42
_LEAST_ROOM = 14
_TILE = 4
# What is transformed for each tile costs about as much as torch spends on 7 of its up to 16 outputs, and what is
# transformed once, the weights, as much as 64 tiles: whatever the channels, with AVX2 as with AVX-512. So maps of 3×3
# are taken from some 230 images on, those of 4×4 from 50, and those of 5×5, of which most tiles are empty, never.
_OUTPUTS_LIKE_A_TILE = 7
_TILES_LIKE_WEIGHTS = 64
_OUTPUTS = 84
# Bytes that the tiles at work in all threads may take, and as many the sums of the weights' gradient, unless those of
# one thread take more: half a gigabyte in all, however many threads there are. For it blocks of tiles become smaller,
# sums fewer, and threads too in the end.
_MOST_SCRATCH = _MOST_SUMS = 2**28
# Threads for which there are no sums of their own share the filters, in no smaller lots: each transforms the inputs
# anew.
_LEAST_FILTERS = 64


def computed_in() -> torch.dtype:
    """The format in which a convolution on the processor gives its results here, as autocast has it."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


def convolve(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """What ``torch.nn.functional.conv2d`` gives, for a convolution that :func:`is_taken`."""
    function = _Grey if weight.shape[1] == 1 else _Winograd
    if bias is not None:
        bias = bias.contiguous()
    outputs: Tensor = function.apply(input, weight, bias, stride, padding)  # type: ignore[no-untyped-call]
    return outputs


def is_taken(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int], padding: tuple[int, int]
) -> bool:
    """Whether the kernels here are made for this convolution, and quicker than torch's."""
    # Channels that do not match are torch's to refuse, as are paddings and strides that cannot be.
    if not are_plain(input, weight, bias) or input.dim() != 4 or input.shape[1] != weight.shape[1]:
        return False
    if min(padding) < 0 or min(stride) < 1:
        return False
    filters, channels, *kernel = weight.shape
    height, width = _output_size(input, weight, stride, padding)
    if filters % PANEL or min(height, width) < 1:
        return False
    if channels == 1:
        # Colour images are left to torch, which is quicker with three channels. Of the gradient of the input, which
        # only an attack on images asks for, there is no kernel here.
        return computed_in() in (torch.float32, torch.bfloat16) and not input.requires_grad
    is_wide = channels % PANEL == 0 and min(height, width) >= 3 and max(padding) <= 2
    is_wide = is_wide and _are_enough((len(input), filters, height, width))
    return is_wide and tuple(kernel) == (3, 3) and stride == (1, 1) and computed_in() == torch.float32


class _Winograd(torch.autograd.Function):
    """3×3, stride 1, by F(4×4, 3×3); the source is in ``winograd.c``."""

    @staticmethod
    def forward(
        ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        input = channels_last(input)
        ctx.save_for_backward(input, weight)
        ctx.padding = padding
        return _winograd(input, weight.permute(2, 3, 1, 0), bias, padding)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:  # type: ignore[override]
        (gradient,), (input, weight), padding = gradients, ctx.saved_tensors, ctx.padding
        gradient = channels_last(gradient)
        needs_input, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        of_input = of_weight = None
        if needs_input:
            turned = weight.flip(2, 3).permute(2, 3, 0, 1)
            of_input = _winograd(gradient, turned, None, (2 - padding[0], 2 - padding[1]))
        if needs_weight:
            of_weight = _winograd_weight_gradient(input, gradient, padding).permute(3, 2, 0, 1)
        return of_input, of_weight, gradient.sum((0, 2, 3)) if needs_bias else None, None, None


def _winograd(input: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
    """The convolution of N×C×H×W with weights 3×3×C×K."""
    count, channels, height, width = input.shape
    filters = weight.shape[3]
    output = empty_maps(count, filters, height + 2 * padding[0] - 2, width + 2 * padding[1] - 2)
    room, threads = _blocks(channels + filters)
    points, scratch = empty(_POINTS * channels * filters), empty(threads * _POINTS * (channels + filters) * room)
    kernels, weight = library(), weight.contiguous()
    kernels.winograd_weights(address(weight), address(points), channels, filters, threads)
    where = sizes(input), sizes(output), longs(*padding)
    kernels.winograd_forward(
        address(input), address(points), address(bias), address(output), *where, address(scratch), room, threads
    )
    return output


def _winograd_weight_gradient(input: Tensor, gradient: Tensor, padding: tuple[int, int]) -> Tensor:
    """3×3×C×K."""
    channels, filters = input.shape[1], gradient.shape[1]
    size = _POINTS * channels * filters
    room, threads = _blocks(channels + filters)
    parts = _bounded(min(threads, -(-_tiles(gradient.shape) // room)), size, _MOST_SUMS)
    lots = max(1, min(threads // parts, filters // _LEAST_FILTERS))
    sums, weight = empty(parts * size), empty(3, 3, channels, filters)
    scratch = empty(parts * lots * _POINTS * (channels + filters) * room)
    where = sizes(input), sizes(gradient), longs(*padding)
    library().winograd_weight_gradient(
        address(input), address(gradient), address(sums), address(weight), *where, address(scratch), room, parts, lots
    )
    return weight


def _tiles(outputs: Sequence[int]) -> int:
    """Of maps N×C×H×W of outputs."""
    count, _, height, width = outputs
    return count * -(-height // _TILE) * -(-width // _TILE)


def _are_enough(outputs: Sequence[int]) -> bool:
    """Whether maps N×C×H×W of outputs are so large or so many that the products saved outweigh the transforms."""
    count, _, height, width = outputs
    return count * height * width >= _OUTPUTS_LIKE_A_TILE * (_tiles(outputs) + _TILES_LIKE_WEIGHTS)


def _blocks(channels: int) -> tuple[int, int]:
    """Tiles of a block, of so many channels in all, and threads that have one each."""
    threads = _bounded(torch.get_num_threads(), _POINTS * channels * _LEAST_ROOM, _MOST_SCRATCH)
    room = _MOST_SCRATCH // (4 * _POINTS * channels * threads)
    return max(_LEAST_ROOM, min(_ROOM, room)), threads


def _bounded(threads: int, size: int, most: int) -> int:
    """As many threads, up to so many, as may have ``size`` floats each in ``most`` bytes; one in any case."""
    return max(1, min(threads, most // (4 * size)))


class _Grey(torch.autograd.Function):
    """Of grey images, with any kernel and stride; the source is in ``grey.c``."""

    @staticmethod
    def forward(
        ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        input = channels_last(input)
        ctx.save_for_backward(input)
        ctx.window, ctx.kernel = (*weight.shape[2:], *stride, *padding), weight.shape[2:]
        size = _output_size(input, weight, stride, padding)
        output = empty_maps(len(input), len(weight), *size, computed_in())
        patches, patch = weight.permute(2, 3, 1, 0).contiguous(), weight[0].numel()
        threads = _bounded(torch.get_num_threads(), _OUTPUTS * patch, _MOST_SCRATCH)
        scratch = empty(threads * _OUTPUTS * patch)
        where = sizes(input), sizes(output), longs(*ctx.window), address(scratch), _is_bfloat16(output), threads
        library().grey_forward(address(input), address(patches), address(bias), address(output), *where)
        return output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:  # type: ignore[override]
        (gradient,), (input,) = gradients, ctx.saved_tensors
        gradient, of_weight = channels_last(gradient), None
        if ctx.needs_input_grad[1]:
            shape = (*ctx.kernel, input.shape[1], gradient.shape[1])
            patch = shape[0] * shape[1]
            threads = _bounded(torch.get_num_threads(), patch * shape[3], _MOST_SUMS)
            threads = _bounded(threads, _OUTPUTS * (patch + PANEL), _MOST_SCRATCH)
            sums, scratch = empty(threads, *shape), empty(threads * _OUTPUTS * (patch + PANEL))
            where = sizes(input), sizes(gradient), longs(*ctx.window), address(scratch), _is_bfloat16(gradient), threads
            library().grey_weight_gradient(address(input), address(gradient), address(sums), *where)
            of_weight = sums.sum(0).permute(3, 2, 0, 1)
        return None, of_weight, gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None, None, None


def _output_size(input: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int]) -> tuple[int, int]:
    high, wide = (
        (size + 2 * edge - kernel) // step + 1
        for size, edge, kernel, step in zip(input.shape[2:], padding, weight.shape[2:], stride, strict=True)
    )
    return high, wide


def _is_bfloat16(maps: Tensor) -> int:
    return int(maps.dtype == torch.bfloat16)
