"""Sheets of pictures in groups, with words under each: mistakes, doubtful labels, what was learned late, doubles."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnnlab.reports.colours import INK, SOFT
from cnnlab.reports.contents.explain_mistakes import CaptionedPicture, PictureGroup
from cnnlab.reports.figures.style import SIZE, WIDTH, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 4
_GAP, _LINE, _HEADING = 0.1, 0.14, 0.3
"""Inches between pictures, of a line of words, and of a heading."""
_LONGEST = 19
"""Letters under a picture."""
_SIZE = 7.5


def draw_picture_groups(groups: Sequence[PictureGroup]) -> "Figure":
    """Four pictures a row, each group under its heading; of each picture the first line of its words is bold.

    Words are 7.5 points, and longer ones are cut: in full they stand in the table.
    """
    from matplotlib.figure import Figure

    side = (WIDTH - (_COLUMNS + 1) * _GAP) / _COLUMNS
    lines = max((len(picture.all_lines) for group in groups for picture in group.pictures), default=0)
    step = side + lines * _LINE + 1.4 * _GAP
    height = _GAP + sum(
        (_HEADING if group.title else 0) + math.ceil(len(group.pictures) / _COLUMNS) * step for group in groups
    )
    figure = Figure(figsize=(WIDTH, height))
    top = height - _GAP
    for group in groups:
        top -= _HEADING if group.title else 0
        for place, picture in enumerate(group.pictures):
            row, column = divmod(place, _COLUMNS)
            axes = _draw_picture(figure, picture, _GAP + column * (side + _GAP), top - row * step, side)
            if place == 0 and group.title:
                # Within the axes, as all words are, so that they go where a title above moves them.
                words: dict[str, Any] = {"color": INK, "fontsize": SIZE - 1, "fontweight": "bold", "va": "bottom"}
                axes.text(0, 1 + 0.07 / side, short_label(group.title, 56), transform=axes.transAxes, **words)
        top -= math.ceil(len(group.pictures) / _COLUMNS) * step
    return figure


def _draw_picture(figure: "Figure", picture: CaptionedPicture, left: float, top: float, side: float) -> "Axes":
    width, height = figure.get_size_inches()
    axes = figure.add_axes((left / width, (top - side) / height, side / width, side / height))
    axes.set_axis_off()
    pixels = picture.pixels.transpose(1, 2, 0)
    shown = pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., 0]
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="none")
    for place, line in enumerate(picture.all_lines):
        axes.text(
            0.5,
            -(0.04 + place * _LINE) / side,
            short_label(line, _LONGEST),
            transform=axes.transAxes,
            color=INK if place < 2 else SOFT,
            fontweight="bold" if place == 0 else "normal",
            fontsize=_SIZE,
            ha="center",
            va="top",
        )
    return axes
