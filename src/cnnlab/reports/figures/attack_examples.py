"""Pictures before and after an attack, drawn side by side."""

import math
from typing import TYPE_CHECKING, Any

from cnnlab.reports.colours import FAINT, INK, SOFT
from cnnlab.reports.contents.attacks import ExampleColumn, ExampleSheet
from cnnlab.reports.figures.explain_grid import SHEET, caption_height, caption_lines, shown_pixels, write_caption
from cnnlab.reports.figures.style import short_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP, _BETWEEN, _EDGE = 0.07, 0.3, 0.08
"""Inches between pictures of a row, between rows side by side, and at the rim."""
_LARGEST, _MOST_ACROSS = 1.55, 6
_LINE, _TITLE = 0.145, 0.17
_SMALL, _LETTERS = 7.5, 15.0
"""Points of the words under a picture, and letters of these in an inch."""


def draw_examples(sheet: ExampleSheet, caption: str = "") -> "Figure":
    """A row for each picture, several side by side where there is room; what is said of each stands under it.

    :param caption: what is written below.
    """
    from matplotlib.figure import Figure

    across, count = len(sheet.columns), len(sheet)
    blocks = max(1, min(count, _MOST_ACROSS // across))
    rows = math.ceil(count / blocks)
    gaps = blocks * (across - 1) * _GAP + (blocks - 1) * _BETWEEN
    side = min(_LARGEST, (SHEET - 2 * _EDGE - gaps) / (blocks * across))
    shape = sheet.columns[0].pictures.shape
    tall = side * shape[2] / shape[3]
    under = max(len(words) for column in sheet.columns for words in column.words)
    row = tall + under * _LINE + 0.12
    head = _TITLE if any(column.title for column in sheet.columns) else 0.0
    lines = caption_lines(caption)
    height = _EDGE + head + rows * row + caption_height(lines)
    left = (SHEET - blocks * across * side - gaps) / 2
    figure = Figure(figsize=(SHEET, height))
    for place in range(count):
        down, block = divmod(place, blocks)
        for number, column in enumerate(sheet.columns):
            x = left + block * (across * side + (across - 1) * _GAP + _BETWEEN) + number * (side + _GAP)
            _draw_picture(figure, column, place, x, height - _EDGE - head - down * row, side)
            if down == 0 and column.title:
                where = ((x + side / 2) / SHEET, (height - _EDGE - head + 0.03) / height)
                figure.text(
                    *where, column.title, fontsize=_SMALL + 0.5, color=INK, ha="center", va="bottom", weight="bold"
                )
    write_caption(figure, lines, height)
    return figure


def _draw_picture(figure: "Figure", column: ExampleColumn, place: int, x: float, y: float, side: float) -> None:
    """One picture whose upper left corner is there, in inches from the lower left, and the words under it."""
    width, height = figure.get_size_inches()
    image = shown_pixels(column.pictures[place])
    tall = side * image.shape[0] / image.shape[1]
    axes = figure.add_axes((x / width, (y - tall) / height, side / width, tall / height))
    axes.imshow(image, interpolation="none", aspect="auto", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(color=FAINT, linewidth=0.5)
    for line, text in enumerate(column.words[place]):
        where: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "top", "fontsize": _SMALL}
        colour = INK if line == 0 else SOFT
        shown = short_label(text, int(side * _LETTERS) + 2)
        axes.text(0.5, -(0.03 + line * _LINE) / tall, shown, color=colour, **where)
