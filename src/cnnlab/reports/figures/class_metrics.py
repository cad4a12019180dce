"""Confusions, measures by class and calibration, drawn."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from cnnlab.evaluation import Calibration, Confusion
from cnnlab.reports.colours import COLOURS, FAINT, INK, SOFT
from cnnlab.reports.contents.classes import MEASURES, ClassMeasures
from cnnlab.reports.contents.tables import NOTHING, TableColumn
from cnnlab.reports.figures.style import DOT, SIZE, WIDTH, haloed, in_unit, sheet, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NUMBERED = 12
_MOST_NAMED = 26
_MOST_CELLS = 40
_MARKS = {"precision": ("o", COLOURS[0]), "recall": ("s", COLOURS[1]), "f1": ("D", COLOURS[2])}


class SharesByClass(Protocol):
    """Of each class, shares by class."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the K classes."""
        ...

    @property
    def shares(self) -> NDArray[np.float64]:
        """K×K, from 0 to 1: a row a true class; nan where there was nothing to count."""
        ...


def draw_confusion_matrix(matrix: Confusion) -> "Figure":
    """A row a true class, a column a predicted one; darker the larger the share of the row, which is the number."""
    return draw_confusion_matrices({"": matrix})


def draw_confusion_matrices(matrices: Mapping[str, Confusion]) -> "Figure":
    """Several side by side, each under its title."""
    return draw_class_shares(matrices, across="predicted")


def draw_class_shares(matrices: Mapping[str, SharesByClass], *, across: str) -> "Figure":
    """Matrices side by side, each under its title: a row a true class, a column a class; darker the larger the share.

    :param across: what a column is.
    """
    figure, panels = sheet(WIDTH * 0.98, columns=len(matrices))
    for axes, (title, matrix) in zip(panels, matrices.items(), strict=True):
        count = len(matrix.names)
        axes.grid(visible=False)
        _shade(axes, matrix)
        axes.set(xlim=(0, count), ylim=(count, 0))
        axes.set_aspect("equal")
        if count <= _MOST_NUMBERED:
            _number(axes, matrix)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        _name_classes(axes, matrix.names)
        axes.set_xlabel(across, color=INK)
        axes.set_ylabel("true", color=INK)
        axes.set_title(title, color=INK)
    return figure


def draw_measures(measures: ClassMeasures) -> "Figure":
    """A row a class: a mark for each measure on one scale, the range of the repeats behind it."""
    count = len(measures.names)
    figure, (axes,) = sheet(0.95 + 0.34 * count)
    for shift, name in enumerate(MEASURES):
        mark, colour = _MARKS[name]
        for place in range(count):
            y = place + (shift - 1) * 0.22
            low, high = measures.low[name][place], measures.high[name][place]
            if high > low:
                axes.plot([low, high], [y, y], color=colour, linewidth=1.6, alpha=0.55, zorder=2)
        rows = np.arange(count) + (shift - 1) * 0.22
        label = "F1" if name == "f1" else name
        axes.plot(measures.mean[name], rows, mark, color=colour, markersize=5.5, zorder=3, label=label)
    size = SIZE if count <= _MOST_NAMED else max(5.0, SIZE * _MOST_NAMED / count)
    axes.set_yticks(range(count), [short_label(name, 20) for name in measures.names], fontsize=size)
    axes.set_ylim(count - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    in_unit(axes.xaxis, TableColumn("", "", "share"))
    axes.set_xlabel("%", color=INK)
    figure.legend(loc="outside upper left", ncols=3, frameon=False, labelcolor=INK, handletextpad=0.2)
    return figure


def draw_reliability(calibration: Calibration) -> "Figure":
    """Accuracy against confidence by bin, over a panel of how many predictions each bin holds."""
    figure, (upper, lower) = sheet(4.4, 2, [3.2, 1.0])
    filled = [bin_ for bin_ in calibration.bins if bin_.n]
    upper.plot([0, 1], [0, 1], color=SOFT, linewidth=1.2, linestyle=(0, (3, 2)), zorder=2)
    for bin_ in filled:
        ends = [bin_.confidence, bin_.accuracy]
        upper.plot([bin_.confidence] * 2, ends, color=COLOURS[1], linewidth=2.4, alpha=0.6, zorder=3)
    x, y = [bin_.confidence for bin_ in filled], [bin_.accuracy for bin_ in filled]
    upper.plot(x, y, color=COLOURS[0], linewidth=1.6, **DOT)
    haloed(upper.text(0.02, 0.93, "dashed: as sure as right", color=SOFT, va="top"))
    upper.set(xlim=(0, 1.02), ylim=(0, 1.04))
    shares = [bin_.n / calibration.n for bin_ in calibration.bins]
    widths = [0.92 * (bin_.high - bin_.low) for bin_ in calibration.bins]
    lower.bar([(bin_.low + bin_.high) / 2 for bin_ in calibration.bins], shares, widths, color=COLOURS[0], alpha=0.75)
    for axes, title in ((upper, "accuracy (%)"), (lower, "share of predictions (%)")):
        in_unit(axes.yaxis, TableColumn("", "", "share"))
        axes.set_title(title, loc="left", color=INK, pad=5)
    in_unit(lower.xaxis, TableColumn("", "", "share"))
    lower.set_xlabel("confidence (%)", color=INK)
    return figure


def _shade(axes: "Axes", matrix: SharesByClass) -> None:
    from matplotlib.colors import PowerNorm

    # A few mistakes among hundreds of right answers are to be seen too, so low shares take up more of the scale.
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    count = len(matrix.names)
    # What is no number is not drawn: grey says that there was nothing to count, and is not taken for none.
    axes.set_facecolor(FAINT)
    if count <= _MOST_CELLS:
        axes.pcolormesh(np.ma.masked_invalid(matrix.shares), cmap="Blues", norm=norm, edgecolors=FAINT, linewidth=0.5)
    else:
        # Ten thousand cells drawn one by one would be a megabyte.
        axes.imshow(
            matrix.shares, cmap="Blues", norm=norm, extent=(0, count, count, 0), interpolation="none", aspect="equal"
        )


def _number(axes: "Axes", matrix: SharesByClass) -> None:
    """The share of the row in percent; what is below half a percent is left to its shade."""
    for (row, column), share in np.ndenumerate(matrix.shares):
        if np.isnan(share):
            axes.text(column + 0.5, row + 0.5, NOTHING, ha="center", va="center", color=SOFT, fontsize=SIZE)
        elif share >= 0.005:
            ink = "#FEFEFE" if share > 0.4 else "#222222"
            # A row with mistakes in it is not told to have none.
            text = ">99" if 0.995 <= share < 1 else f"{share * 100:.0f}"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink, fontsize=SIZE)


def _name_classes(axes: "Axes", names: "tuple[str, ...]") -> None:
    count = len(names)
    if count > _MOST_NAMED:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    places = np.arange(count) + 0.5
    longest = max(map(len, names))
    axes.set_xticks(places, [short_label(name, 14) for name in names])
    axes.set_yticks(places, [short_label(name, 14) for name in names])
    if longest * count > 26:
        axes.tick_params(axis="x", rotation=90 if count > 12 else 45)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor", va="center" if count > 12 else "top")
