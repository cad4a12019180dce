"""The filters of a convolution drawn, and what each makes of a picture."""

import math
from typing import TYPE_CHECKING

import numpy as np

from cnnlab.explain import Activations, Filters
from cnnlab.reports.colours import INK
from cnnlab.reports.contents.explain_captions import activations_caption, filters_caption
from cnnlab.reports.figures.explain_grid import (
    SHEET,
    Scale,
    caption_height,
    caption_lines,
    draw_grid,
    draw_maps,
    write_caption,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST, MOST_INPUTS = 64, 16
_SMALL = 7.5
_LABEL = 0.16
"""Inches of the number of a row."""


def draw_filters(
    shown: Filters,
    *,
    as_patterns: bool = False,
    most: int = MOST,
    inputs: int = MOST_INPUTS,
    caption: str | None = None,
) -> "Figure":
    """The filters as images, each with its number under it.

    Those that read the colours of a picture are shown in colour, those of one input in a two-sided scale, others in a
    grid, a row a filter and a column an input. Filters of 1×1 are one matrix.

    :param as_patterns: instead of the grid, of each the one pattern that says most of it, with its share.
    :param most: filters that are shown at most, the first of those given.
    :param inputs: that a grid shows at most, those that are weighed most.
    :param caption: what is written under it; a description unless given.
    """
    kept = slice(0, most)
    numbers = [str(number) for number in shown.numbers[kept]]
    reads_one = shown.kernels.shape[1] == 1
    if as_patterns:
        patterns, shares = (each[kept] for each in shown.patterns())
        words = _words(shown, len(numbers), 0, caption, as_patterns=True)
        limit = float(np.abs(patterns).max(initial=0)) or 1.0
        labels = [f"{number}: {share:.0%}" for number, share in zip(numbers, shares, strict=True)]
        return draw_grid(patterns, labels, words, scale=Scale(-limit, limit, "pattern"))
    scale = Scale(-shown.limit, shown.limit, "weight")
    if shown.is_colour and shown.kernels.shape[2:] != (1, 1):
        return draw_grid(shown.in_colour()[kept], numbers, _words(shown, len(numbers), 3, caption))
    if reads_one:
        return draw_grid(shown.kernels[kept, 0], numbers, _words(shown, len(numbers), 1, caption), scale=scale)
    if shown.kernels.shape[2:] == (1, 1):
        words = _words(shown, len(shown), shown.kernels.shape[1], caption)
        return _draw_matrix(shown, words, scale)
    rows = shown.kernels[: min(most, inputs)]
    columns = shown.strongest_inputs(inputs)
    tiles = rows[:, columns].reshape(-1, *shown.kernels.shape[2:])
    labels = [f"{filter}←{read}" for filter in shown.numbers[: len(rows)] for read in columns]
    words = _words(shown, len(rows), len(columns), caption)
    return draw_grid(tiles, labels, words, scale=scale, columns=len(columns))


def draw_filter_responses(
    shown: Activations, picture: int = 0, *, most: int = MOST, own_scales: bool = False, caption: str | None = None
) -> "Figure":
    """What each filter makes of a picture, in the order of the filters, the picture beside.

    :param shown: as :func:`cnnlab.explain.filter_responses` gives it.
    :param most: filters that are shown at most, the first of those given.
    :param own_scales: whether each map is shown by its own largest magnitude.
    :param caption: what is written under it; a description unless given.
    """
    places = range(min(most, len(shown.channels)))
    if caption is None:
        caption = activations_caption(shown, len(places), picture, is_response=True, own_scales=own_scales)
    return draw_maps(shown, picture, places, "response", caption, own_scales=own_scales)


def _words(shown: Filters, filters: int, inputs: int, caption: str | None, *, as_patterns: bool = False) -> str:
    return filters_caption(shown, filters, inputs, as_patterns=as_patterns) if caption is None else caption


def _draw_matrix(shown: Filters, words: str, scale: Scale) -> "Figure":
    """Filters of 1×1, filters by inputs."""
    from matplotlib.figure import Figure

    matrix = shown.kernels[:, :, 0, 0]
    lines = caption_lines(words)
    body = float(np.clip(5.6 * matrix.shape[0] / matrix.shape[1], 1.2, 7.0))
    height = body + 0.6 + caption_height(lines)
    figure = Figure(figsize=(SHEET, height))
    bottom = (caption_height(lines) + 0.5) / height
    axes = figure.add_axes((0.6 / SHEET, bottom, (SHEET - 1.5) / SHEET, 1 - bottom - 0.1 / height))
    image = axes.imshow(
        matrix, cmap=scale.colours, vmin=scale.low, vmax=scale.high, aspect="auto", interpolation="nearest"
    )
    axes.set_xlabel("input", fontsize=_SMALL + 1, color=INK)
    axes.set_ylabel("filter", fontsize=_SMALL + 1, color=INK)
    step = max(1, math.ceil(len(shown) * _LABEL / body))
    axes.set_yticks(range(0, len(shown), step), [str(number) for number in shown.numbers[::step]])
    axes.tick_params(labelsize=_SMALL, length=2)
    bar = figure.add_axes(((SHEET - 0.75) / SHEET, bottom, 0.1 / SHEET, 1 - bottom - 0.1 / height))
    colours = figure.colorbar(image, cax=bar)
    colours.set_label("weight", fontsize=_SMALL + 1)
    colours.ax.tick_params(labelsize=_SMALL, length=2)
    write_caption(figure, lines, height)
    return figure
