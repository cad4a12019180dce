"""The worst mistakes, drawn as one sheet of pictures."""

import math
from typing import TYPE_CHECKING, Any

from cnnlab.reports.colours import INK, SOFT
from cnnlab.reports.contents.mistakes import Gallery, Mistake
from cnnlab.reports.figures.style import WIDTH, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 4
_GAP, _WORDS, _LINE = 0.1, 0.52, 0.14
"""Inches between pictures, under each for its first three lines, and of a further line."""
_LONGEST = 17
"""Letters under a picture."""
_SIZE = 7.5


def draw_mistakes(gallery: Gallery) -> "Figure":
    """Four pictures a row, with what each is, what it was taken for, and how bad that is."""
    from matplotlib.figure import Figure

    shown = [mistake for mistake in gallery.mistakes if mistake.pixels is not None]
    side = (WIDTH - (_COLUMNS + 1) * _GAP) / _COLUMNS
    words = _WORDS + (1 + any(mistake.id for mistake in shown)) * _LINE
    height = math.ceil(len(shown) / _COLUMNS) * (side + words) + _GAP
    figure = Figure(figsize=(WIDTH, height))
    for place, mistake in enumerate(shown):
        row, column = divmod(place, _COLUMNS)
        left, top = _GAP + column * (side + _GAP), height - _GAP - row * (side + words)
        axes = figure.add_axes((left / WIDTH, (top - side) / height, side / WIDTH, side / height))
        axes.set_axis_off()
        _draw_one(axes, mistake, gallery.words(mistake))
    return figure


def _draw_one(axes: "Axes", mistake: Mistake, words: str) -> None:
    assert mistake.pixels is not None
    pixels = mistake.pixels.transpose(1, 2, 0)
    if pixels.shape[2] < 3:
        axes.imshow(pixels[..., 0], cmap="gray", vmin=0, vmax=255, interpolation="none")
    else:
        axes.imshow(pixels[..., :3], interpolation="none")
    common: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "top", "fontsize": _SIZE}
    count = f", {mistake.wrong} of {mistake.repeats}" if mistake.repeats > 1 and mistake.wrong is not None else ""
    axes.text(0.5, -0.04, short_label(mistake.true, _LONGEST), color=INK, fontweight="bold", **common)
    axes.text(0.5, -0.17, short_label(f"as {mistake.predicted}", _LONGEST), color=INK, **common)
    axes.text(0.5, -0.30, f"{words}{count}", color=SOFT, **common)
    for line, name in enumerate(filter(None, (mistake.called, mistake.id))):
        axes.text(0.5, -0.43 - 0.13 * line, short_label(name, _LONGEST), color=SOFT, **common)
