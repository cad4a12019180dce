"""Pictures with maps of attribution beside them, drawn."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.number_text import MINUS
from cnnlab.reports.colours import FAINT, INK, SOFT
from cnnlab.reports.contents.explain_attributions import AttributionSheet, MapColumn, MapScale
from cnnlab.reports.figures.explain_grid import (
    SHEET,
    SIGNED,
    caption_height,
    caption_lines,
    shown_pixels,
    write_caption,
)
from cnnlab.reports.figures.style import short_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEAT = "inferno"
_OVER = 0.85
"""How much of what is seen is the map, where it is largest, of one that lies over its picture."""
_GAP, _BETWEEN, _EDGE = 0.06, 0.28, 0.08
"""Inches between maps, between a picture's maps and the next picture, and at the rim."""
_MOST_BESIDE, _LARGEST = 6, 1.7
"""Maps beside a picture, and inches of its side."""
_LINE, _TITLE, _BARS = 0.145, 0.15, 0.52
_SMALL, _LETTERS, _BOLD_LETTERS = 7.5, 16.0, 12.5
"""Points of the words at a map, and letters of these and of titles in an inch."""
_PIXELS = 170
"""Of an image, to an inch."""
_ENDS: dict[MapScale, tuple[str, ...]] = {
    "signed": ("against", "0", "for"),
    "positive": ("0", "largest"),
    "magnitude": ("0", "largest"),
    "range": ("least", "largest"),
    "raw": (f"{MINUS}largest", "0", "largest"),
}


def draw_attributions(sheet: AttributionSheet, caption: str = "") -> "Figure":
    """A picture and its maps side by side, with what was explained under each; a bar of colours for each scale.

    Where there are few maps, several pictures stand in a row; where there are many, they go on below, by the pictures
    again.

    :param caption: what is written under it.
    """
    from matplotlib.figure import Figure

    bands = sheet.bands(_MOST_BESIDE)
    layout = _Layout.of(sheet, max(map(len, bands)))
    titles = [[layout.title_lines(column.title) for column in band] for band in bands]
    heads = [_TITLE * max(map(len, lines)) + 0.05 for lines in titles]
    lines = caption_lines(caption)
    height = _EDGE + sum(heads) + len(bands) * layout.rows * layout.row + _BARS + caption_height(lines)
    figure = Figure(figsize=(SHEET, height))
    top = height - _EDGE
    for band, head, words in zip(bands, heads, titles, strict=True):
        _draw_band(figure, sheet, band, layout, words, top - head)
        top -= head + layout.rows * layout.row
    _draw_bars(figure, sheet, caption_height(lines), height)
    write_caption(figure, lines, height)
    return figure


@dataclass(frozen=True)
class _Layout:
    """Inches: the side of a picture, and where each stands.

    :param across: how many stand side by side for a picture, with itself; ``blocks`` how many such in a row.
    :param row: what a row of pictures takes with the words under them.
    """

    across: int
    blocks: int
    rows: int
    side: float
    row: float
    left: float

    @classmethod
    def of(cls, sheet: AttributionSheet, columns: int) -> "_Layout":
        across, count = 1 + columns, len(sheet.pictures)
        blocks = max(1, min(count, (1 + _MOST_BESIDE) // across))
        gaps = blocks * (across - 1) * _GAP + (blocks - 1) * _BETWEEN
        side = min(_LARGEST, (SHEET - 2 * _EDGE - gaps) / (blocks * across))
        tall = side * sheet.pictures.shape[2] / sheet.pictures.shape[3]
        # A narrow sheet stands in the middle.
        left = (SHEET - blocks * across * side - gaps) / 2
        row = tall + max(map(len, sheet.labels)) * _LINE + 0.1
        return cls(across, blocks, math.ceil(count / blocks), side, row, left)

    def corner(self, place: int, top: float) -> tuple[float, float]:
        """The upper left one of a picture, from the lower left of the sheet."""
        down, block = divmod(place, self.blocks)
        step = self.across * self.side + (self.across - 1) * _GAP + _BETWEEN
        return self.left + block * step, top - down * self.row

    def title_lines(self, title: str) -> list[str]:
        """A title in lines as wide as a map, broken after hyphens where it has some."""
        return textwrap.wrap(title, max(6, int(self.side * _BOLD_LETTERS)), max_lines=3, placeholder="…")


def _draw_band(
    figure: "Figure",
    sheet: AttributionSheet,
    band: Sequence[MapColumn],
    layout: _Layout,
    titles: Sequence[list[str]],
    top: float,
) -> None:
    """All pictures, with some of the maps."""
    for place, picture in enumerate(sheet.pictures):
        x, y = layout.corner(place, top)
        _draw_tile(figure, shown_pixels(picture), x, y, layout.side, sheet.labels[place])
        for number, (column, lines) in enumerate(zip(band, titles, strict=True)):
            at = x + (number + 1) * (layout.side + _GAP)
            _draw_tile(figure, map_colours(column, place, picture), at, y, layout.side, column.words[place])
            if place < layout.blocks:
                _write_title(figure, lines, at + layout.side / 2, y)


def map_colours(column: MapColumn, place: int, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map as colours H×W×3, over its picture in grey where it is to lie over it."""
    values = column.maps[place]
    colours = scale_colours(column.scale, values)
    return _over(colours, values, _grey(picture)) if column.is_overlay else colours


def scale_colours(scale: MapScale, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values on a scale, from -1 or from 0 to 1, as colours …×3."""
    from matplotlib import colormaps

    is_signed = scale in ("signed", "raw")
    shares = (values + 1) / 2 if is_signed else values
    return np.asarray(colormaps[SIGNED if is_signed else _HEAT](shares)[..., :3], dtype=np.float32)


def _grey(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """A picture C×H×W by its brightness, H×W×1 (Rec. 601)."""
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return np.asarray((shown_pixels(picture) * weights).sum(2, keepdims=True), dtype=np.float32)


def _over(
    colours: NDArray[np.float32], values: NDArray[np.float32], grey: NDArray[np.float32] | float
) -> NDArray[np.float32]:
    """Colours over grey: where the map is 0 the picture is seen as it is, and less of it the larger the map."""
    share = _OVER * np.sqrt(np.abs(values))[..., None]
    return np.asarray(share * colours + (1 - share) * grey, dtype=np.float32)


def _draw_tile(
    figure: "Figure", image: NDArray[np.float32], x: float, y: float, side: float, words: tuple[str, ...]
) -> None:
    """An image whose upper left corner is at x and y, in inches from the lower left, and the words under it."""
    width, height = figure.get_size_inches()
    tall = side * image.shape[0] / image.shape[1]
    axes = figure.add_axes((x / width, (y - tall) / height, side / width, tall / height))
    axes.imshow(_no_larger(image, math.ceil(side * _PIXELS)), interpolation="none", aspect="auto", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(color=FAINT, linewidth=0.5)
    for place, line in enumerate(words):
        where: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "top", "fontsize": _SMALL}
        below = -(0.03 + place * _LINE) / tall
        axes.text(0.5, below, short_label(line, int(side * _LETTERS) + 1), color=INK if place == 0 else SOFT, **where)


def _no_larger(image: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """An image H×W×3, averaged over areas to so many pixels a side where it has more: files stay small."""
    height, width = image.shape[:2]
    if max(height, width) <= most:
        return image
    import torch
    from torch.nn.functional import interpolate

    size = (max(1, round(height * most / max(height, width))), max(1, round(width * most / max(height, width))))
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    return np.asarray(interpolate(pixels, size=size, mode="area")[0].numpy().transpose(1, 2, 0))


def _write_title(figure: "Figure", lines: list[str], x: float, y: float) -> None:
    height = figure.get_figheight()
    for place, line in enumerate(reversed(lines)):
        at = (y + 0.04 + place * _TITLE) / height
        figure.text(x / SHEET, at, line, fontsize=_SMALL + 0.5, color=INK, ha="center", va="bottom", fontweight="bold")


def _draw_bars(figure: "Figure", sheet: AttributionSheet, bottom: float, height: float) -> None:
    """A bar for each scale in use, side by side, in the colours in which maps are seen."""
    found: dict[tuple[MapScale, bool], list[str]] = {}
    for column in sheet.columns:
        name = "raw values" if column.scale == "raw" else column.method or column.title.partition(":")[0]
        names = found.setdefault((column.scale, column.is_overlay), [])
        if name not in names:
            names.append(name)
    each = (SHEET - 2 * _EDGE) / len(found)
    wide = min(1.9, each - 0.5)
    for place, ((scale, is_overlay), names) in enumerate(found.items()):
        low = -1.0 if scale in ("signed", "raw") else 0.0
        values = np.linspace(low, 1, 128, dtype=np.float32)[None]
        colours = scale_colours(scale, values)
        x = _EDGE + place * each + (each - wide) / 2
        axes = figure.add_axes((x / SHEET, (bottom + 0.2) / height, wide / SHEET, 0.09 / height))
        axes.imshow(_over(colours, values, 0.5) if is_overlay else colours, aspect="auto", interpolation="none")
        ends = _ENDS[scale]
        axes.set_xticks(np.linspace(-0.5, 127.5, len(ends)), ends)
        axes.tick_params(labelsize=_SMALL, length=2, color=SOFT, labelcolor=INK, pad=1.5)
        axes.set_yticks([])
        axes.spines[:].set(color=SOFT, linewidth=0.4)
        title = short_label(", ".join(names), int(each * _LETTERS))
        axes.set_title(title, fontsize=_SMALL, color=INK, pad=2.5)
