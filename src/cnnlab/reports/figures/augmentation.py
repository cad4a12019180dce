"""What a pipeline of augmentations does to pictures, drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.augment.preview import Preview
from cnnlab.reports.colours import INK, PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = 0.9
"""The width of a picture."""
_GAP, _LETTER = 0.2, 0.072
"""The room that a label takes, and each of its letters."""
_SIZE, _SMALL = 9, 6.5


def draw_preview(shown: Preview) -> "Figure":
    """The rows as a labelled grid; where pictures are mixed, each with its own share and that of its partner."""
    from matplotlib.figure import Figure

    rows, columns, height, width = shown.images.shape[:4]
    margin = _GAP + _LETTER * max(len(line) for label in shown.labels for line in label.splitlines())
    total = margin + columns * _INCHES
    figure = Figure(figsize=(total, rows * _INCHES * height / width))
    cells = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(left=margin / total, right=1, bottom=0, top=1, wspace=0.05, hspace=0.05)
    for axes, label, images in zip(cells, shown.labels, shown.images, strict=True):
        _draw_row(list(axes), label, images)
        for place, cell in enumerate(axes if shown.shares else ()):
            # Partners are told by the number of their picture.
            _write_within(cell, str(place + 1) if label == shown.labels[0] else shown.mixture(label, place))
    return figure


def _write_within(cell: "Axes", text: str) -> None:
    """Words within the picture, at its lower end; what is mixed of many takes a line each."""
    if text:
        paper = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 1.2}
        where: dict[str, Any] = {"transform": cell.transAxes, "ha": "center", "va": "bottom"}
        shown = text if text.count("+") < 2 else text.replace(" + ", "\n+ ")
        cell.text(0.5, 0.02, shown, fontsize=_SMALL, color=INK, bbox=paper, **where)


def _draw_row(axes: Sequence["Axes"], label: str, images: NDArray[np.uint8]) -> None:
    for cell, image in zip(axes, images, strict=True):
        cell.set_axis_off()
        # Grey in all three channels, which the range of the values in a picture does not change.
        coloured = np.broadcast_to(image, (*image.shape[:2], 3)) if image.shape[-1] == 1 else image
        cell.imshow(coloured, interpolation="nearest", aspect="auto")
    place: tuple[float, float] = (-0.1, 0.5)
    axes[0].annotate(label, place, xycoords="axes fraction", ha="right", va="center", fontsize=_SIZE, color=INK)
