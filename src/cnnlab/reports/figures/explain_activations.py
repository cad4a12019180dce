"""What a layer puts out for a picture drawn, and dead units and zeros of every ReLU."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import UsageError
from cnnlab.explain import Activations, DeadUnits
from cnnlab.reports.colours import COLOURS, INK, PAPER
from cnnlab.reports.contents.dead_units import DeadOverEpochs
from cnnlab.reports.contents.explain_captions import activations_caption
from cnnlab.reports.figures.explain_grid import (
    SHEET,
    caption_height,
    caption_lines,
    draw_maps,
    shown_pixels,
    write_caption,
)
from cnnlab.reports.figures.style import short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 64
_MOST_BARS = 40
_SMALL, _SIZE = 7.5, 9.0
_ROW = 0.2
"""Inches of a layer."""
_DARK = 0.55
"""The share above which words in a cell are in the colour of the paper."""


def draw_activations(
    shown: Activations, picture: int = 0, *, most: int = MOST, own_scales: bool = False, caption: str | None = None
) -> "Figure":
    """The maps of a layer for one picture, the most active first, the picture beside; of numbers, bars.

    :param most: channels that are shown at most.
    :param own_scales: whether each map is shown by its own largest magnitude.
    :param caption: what is written under it; a description unless given.
    :raises UsageError: for what is neither maps nor numbers.
    """
    if shown.values.ndim not in (2, 4):
        raise UsageError(
            f"{shown.layer} of {shown.model} puts out {'×'.join(map(str, shown.values.shape[1:]))} for a picture, and "
            "only feature maps and rows of numbers are drawn. Take a layer that has one of these."
        )
    order = shown.most_active(picture, most if shown.has_maps else min(most, _MOST_BARS))
    words = activations_caption(shown, len(order), picture, own_scales=own_scales) if caption is None else caption
    if shown.has_maps:
        return draw_maps(shown, picture, order.tolist(), "activation", words, own_scales=own_scales)
    labels = [str(number) for number in shown.channels[order]]
    return _draw_bars(shown.values[picture, order], labels, words, shown_pixels(shown.images[picture]))


def draw_dead_units(found: Sequence[DeadOverEpochs], caption: str = "") -> "Figure":
    """Dead units and zeros, in percent: a column a model, a row a ReLU, within it a column an epoch.

    :param found: of one model or more, side by side.
    :param caption: what is written under it.
    """
    from matplotlib.figure import Figure

    lines = caption_lines(caption)
    most = max(len(each.layers) for each in found)
    panel = most * _ROW + 0.75
    height = 2 * panel + caption_height(lines)
    figure = Figure(figsize=(SHEET, height))
    names = max(len(short_label(name)) for each in found for name in each.layers)
    left = 0.15 + names * 0.068
    wide = (SHEET - left) / len(found)
    for column, each in enumerate(found):
        for row, (what, shares) in enumerate((("dead units (%)", each.dead), ("zeros (%)", each.zeros))):
            own = len(each.layers) * _ROW
            bottom = height - row * panel - 0.32 - own
            place = ((left + column * wide) / SHEET, bottom / height, (wide - 0.2) / SHEET, own / height)
            axes = figure.add_axes(place)
            title = f"{each.label}: {what}" if len(found) > 1 else what
            _draw_shares(axes, each, shares, title, has_names=column == 0 or each.layers != found[0].layers)
    write_caption(figure, lines, height)
    return figure


def all_of(found: Sequence[Sequence[DeadUnits]]) -> list[DeadUnits]:
    """What was counted of several models, in one list."""
    return [each for one in found for each in one]


def _draw_shares(axes: "Axes", found: DeadOverEpochs, shares: NDArray[Any], title: str, *, has_names: bool) -> None:
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    for row, column in np.ndindex(shares.shape):
        share = shares[row, column]
        if np.isfinite(share):
            colour = PAPER if share > _DARK else INK
            text = f"{100 * share:.0f}" if share == 0 or share >= 0.0995 else f"{100 * share:.1f}"
            axes.text(column, row, text, fontsize=_SMALL, color=colour, ha="center", va="center")
    axes.set_title(title, fontsize=_SIZE, color=INK, loc="left", pad=4)
    axes.set_yticks(range(len(found.layers)), [short_label(name) for name in found.layers] if has_names else [])
    axes.set_xticks(range(len(found.epochs)), found.epochs)
    axes.set_xlabel(
        "" if found.epochs == ("selected",) else "after epoch", fontsize=_SMALL + 0.5, color=INK, labelpad=1
    )
    axes.tick_params(labelsize=_SMALL, length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)


def _draw_bars(values: NDArray[Any], labels: Sequence[str], words: str, beside: NDArray[Any]) -> "Figure":
    """Numbers as bars, the picture beside."""
    from matplotlib.figure import Figure

    lines = caption_lines(words)
    height = 2.6 + caption_height(lines)
    figure = Figure(figsize=(SHEET, height))
    picture = figure.add_axes((0.01, (height - 1.45) / height, 1.35 / SHEET, 1.35 / height))
    picture.imshow(beside, interpolation="nearest")
    picture.set_axis_off()
    bottom = (caption_height(lines) + 0.45) / height
    axes = figure.add_axes((2.1 / SHEET, bottom, (SHEET - 2.2) / SHEET, 1 - bottom - 0.08 / height))
    axes.bar(range(len(values)), np.nan_to_num(values), color=COLOURS[0], width=0.8)
    axes.set_xticks(range(len(values)), labels, rotation=90 if len(values) > 16 else 0)
    axes.set_xlabel("channel", fontsize=_SIZE, color=INK)
    axes.set_ylabel("activation", fontsize=_SIZE, color=INK)
    axes.tick_params(labelsize=_SMALL, length=2)
    axes.axhline(0, color=INK, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    write_caption(figure, lines, height)
    return figure
