"""Convolution and pooling of small matrices, one window after another, each step with its numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlab.core.errors import UsageError
from cnnlab.models.arithmetic.sizes import conv, pool
from cnnlab.models.basic_layers import Padding, Sides, margins
from cnnlab.models.shapes import HeightWidth, pair, reach

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class WindowStep:
    """One position of the window.

    :param position: row and column in the result, after the channel where each channel has a result of its own.
    :param corner: row and column of the window's upper left pixel in the picture; below 0 in the padding.
    :param window: what the window holds, channels first where there are several; padding is 0 for a convolution, and
        nan, which does not count, for a pool.
    :param product: the window times the kernel, number by number; none for a pool.
    :param sums: the sum of the product for each channel; empty for a pool.
    :param value: what the result holds at the position.
    """

    position: tuple[int, ...]
    corner: tuple[int, int]
    window: Matrix
    product: Matrix | None
    sums: tuple[float, ...]
    value: float


@dataclass(frozen=True)
class Slide:
    """A window slid over a matrix: every step, and the result.

    :param operation: ``convolution``, ``max pooling`` or ``average pooling``.
    :param result: rows×columns; of a pool over several channels, channels×rows×columns.
    """

    operation: str
    kernel: Matrix | None
    steps: tuple[WindowStep, ...]
    result: Matrix

    def __str__(self) -> str:
        """Every step as a person would write it down, then the result."""
        parts = [_written(self, number) for number in range(len(self.steps))]
        return "\n\n".join([*parts, "\n".join(["result", *_beside([_lines(self.result)], [])])])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; a number outside the picture is null."""
        steps = [
            {
                "position": list(step.position),
                "corner": list(step.corner),
                "window": _plain(step.window),
                "product": None if step.product is None else _plain(step.product),
                "sums": list(step.sums),
                "value": step.value,
            }
            for step in self.steps
        ]
        return {"operation": self.operation, "steps": steps, "result": _plain(self.result)}


def convolve(
    image: ArrayLike, kernel: ArrayLike, *, padding: Padding = 0, stride: Sides = 1, dilation: Sides = 1
) -> Slide:
    """A convolution as networks compute it, with the kernel as it stands and not mirrored, step by step.

    :param image: rows×columns, or channels×rows×columns.
    :param kernel: of as many channels as the picture.
    :param padding: rows and columns of zeros on every side; ``valid`` is none, ``same`` keeps the size at stride 1.
        Like stride and dilation it may be two numbers, for height and width.
    :raises UsageError: when they do not fit together.
    """
    pixels, weights = _matrix(image, "the picture"), _matrix(kernel, "the kernel")
    if pixels.ndim != weights.ndim or pixels.shape[:-2] != weights.shape[:-2]:
        raise UsageError(
            f"the picture is {_size(pixels)} and the kernel {_size(weights)}; both need the same number of channels."
        )
    sides = pair(weights.shape[-2:])
    answer = conv((*pixels.shape[-2:], 1), 1, sides, stride, padding, dilation)
    edges, extras = margins(padding, sides, dilation)
    padded = _surrounded(pixels, edges, extras, 0.0)
    result = np.zeros(answer.output[:2])
    steps = []
    for position, corner, window in _windows(padded, answer.output[:2], sides, pair(stride), pair(dilation), edges):
        product = window * weights
        sums = tuple(product.sum((-2, -1)).reshape(-1).tolist())
        result[position] = sum(sums)
        steps.append(WindowStep(position, corner, window, product, sums, float(result[position])))
    return Slide("convolution", weights, tuple(steps), result)


def max_pool(
    image: ArrayLike, size: Sides = 2, *, stride: Sides | None = None, padding: Padding = 0, ceil: bool = False
) -> Slide:
    """Maximum pooling step by step, each channel by itself; what lies outside the picture is never the maximum.

    :param image: rows×columns, or channels×rows×columns.
    :param size: a number, or two for height and width; ``stride`` and ``padding`` likewise.
    :raises UsageError: when the window does not fit.
    """
    return _pooled(image, size, stride, padding, ceil, is_max=True)


def average_pool(
    image: ArrayLike, size: Sides = 2, *, stride: Sides | None = None, padding: Padding = 0, ceil: bool = False
) -> Slide:
    """Average pooling step by step, each channel by itself, over what of a window lies inside the picture.

    :param image: rows×columns, or channels×rows×columns.
    :param size: a number, or two for height and width; ``stride`` and ``padding`` likewise.
    :raises UsageError: when the window does not fit.
    """
    return _pooled(image, size, stride, padding, ceil, is_max=False)


def _pooled(
    image: ArrayLike, size: Sides, stride: Sides | None, padding: Padding, ceil: bool, *, is_max: bool
) -> Slide:
    pixels = _matrix(image, "the picture")
    stride = size if stride is None else stride
    answer = pool((*pixels.shape[-2:], 1), size, stride, padding, ceil)
    edges, extras = margins(padding, size)
    strides = pair(stride)
    # With ceil the last window may hang over by as much as its stride.
    over = (extras[0] + strides[0], extras[1] + strides[1]) if ceil else extras
    steps = []
    result = np.zeros((*pixels.shape[:-2], *answer.output[:2]))
    for channel in np.ndindex(pixels.shape[:-2]):
        padded = _surrounded(pixels[channel], edges, over, np.nan)
        for position, corner, window in _windows(padded, answer.output[:2], pair(size), strides, (1, 1), edges):
            value = float(np.nanmax(window) if is_max else np.nanmean(window))
            result[(*channel, *position)] = value
            steps.append(WindowStep((*channel, *position), corner, window, None, (), value))
    return Slide(f"{'max' if is_max else 'average'} pooling", None, tuple(steps), result)


def _windows(
    padded: Matrix,
    count: tuple[int, ...],
    sides: HeightWidth,
    strides: HeightWidth,
    dilations: HeightWidth,
    edges: HeightWidth,
) -> Iterator[tuple[tuple[int, int], tuple[int, int], Matrix]]:
    """Position, corner in the picture, and what the window holds there."""
    high, wide = map(reach, sides, dilations)
    for row, column in np.ndindex(*count):
        top, left = row * strides[0], column * strides[1]
        window = padded[..., top : top + high : dilations[0], left : left + wide : dilations[1]]
        yield (row, column), (top - edges[0], left - edges[1]), window


def _matrix(values: ArrayLike, what: str) -> Matrix:
    try:
        matrix = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what} has to be rows of numbers, all of one length, such as [[1, 2], [3, 4]].") from error
    if matrix.ndim not in (2, 3) or not matrix.size or not np.isfinite(matrix).all():
        raise UsageError(f"{what} has to be rows×columns or channels×rows×columns of finite numbers.")
    return matrix


def _surrounded(pixels: Matrix, edges: HeightWidth, more: HeightWidth, value: float) -> Matrix:
    """With so many rows and columns on every side, and some more after the picture."""
    around = [(0, 0)] * (pixels.ndim - 2) + [(edge, edge + after) for edge, after in zip(edges, more, strict=True)]
    return np.pad(pixels, around, constant_values=value)


def _size(matrix: Matrix) -> str:
    return "×".join(map(str, matrix.shape))


def _plain(matrix: Matrix) -> list[Any]:
    values = matrix.astype(object)
    values[np.isnan(matrix)] = None
    plain: list[Any] = values.tolist()
    return plain


def _written(slide: Slide, number: int) -> str:
    step = slide.steps[number]
    *channel, row, column = step.position
    where = f"row {row}, column {column}" + (f" of channel {channel[0]}" if channel else "")
    head = f"step {number + 1}: {where}; the window starts at row {step.corner[0]}, column {step.corner[1]}"
    if step.product is None or slide.kernel is None:
        word = "maximum" if slide.operation.startswith("max") else "mean"
        return "\n".join([head, *_beside([_lines(step.window)], [f"{word} = {_number(step.value)}"])])
    sums = " + ".join(_number(value) if value >= 0 else f"({_number(value)})" for value in step.sums)
    told = f"sum = {sums}" + (f" = {_number(step.value)}" if len(step.sums) > 1 else "")
    blocks = [_lines(step.window), _lines(slide.kernel), _lines(step.product)]
    return "\n".join([head, *_beside(blocks, ["×", "=", told])])


def _lines(matrix: Matrix) -> list[str]:
    """A matrix as text, its columns under one another; a channel after the other, a blank line between."""
    texts = np.vectorize(_number, otypes=[object])(matrix)
    widest = max(len(text) for text in texts.flat)
    layers = texts.reshape(-1, *texts.shape[-2:])
    blocks = [[" ".join(f"{text:>{widest}}" for text in row) for row in layer] for layer in layers]
    return [line for place, block in enumerate(blocks) for line in ([""] if place else []) + block]


def _beside(blocks: list[list[str]], signs: list[str]) -> list[str]:
    """Blocks of text side by side, a sign after each, on the middle line."""
    height = len(blocks[0])
    middle = height // 2
    lines = []
    for line in range(height):
        parts = []
        for place, block in enumerate(blocks):
            sign = signs[place] if place < len(signs) else ""
            parts += [f"{block[line]:<{len(block[0])}}", sign if line == middle else " " * len(sign)]
        lines.append(("  " + "  ".join(parts)).rstrip())
    return lines


def _number(value: float) -> str:
    """Whole numbers without a point, others to four digits; a dot for what lies outside the picture."""
    return "·" if np.isnan(value) else f"{value:.4g}"
