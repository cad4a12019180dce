"""Confusion matrices as pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.evaluation import Confusion
from cnnlab.reports.style import INK, canvas, literal, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_NUMBERED = 25
_DARK = 0.5


def draw_confusion(matrices: Mapping[str, Confusion], path: Path | str) -> Path:
    """Draws confusion matrices side by side, each under its label, with its accuracy.

    A cell holds the number of pictures of the row's class that were taken for the column's; its shade is their share
    of the row. With more than 25 classes the numbers are left out.
    """
    most = max(len(matrix.names) for matrix in matrices.values())
    side = 1.6 + min(0.36, 9 / most) * most
    figure, panels = canvas(len(matrices), side, side + 0.4)
    for place, (axes, (label, matrix)) in enumerate(zip(panels, matrices.items(), strict=True)):
        _shade(axes, matrix)
        if len(matrix.names) <= _MOST_NUMBERED:
            _number(axes, matrix)
        _name(axes, matrix, is_first=place == 0)
        axes.set_title(f"{literal(label)}\naccuracy {matrix.accuracy:.4f}", color=INK, fontsize=11)
    return save_figure(figure, path)


def _shade(axes: "Axes", matrix: Confusion) -> None:
    from matplotlib.colors import PowerNorm

    # A few mistakes among hundreds of right answers are to be seen too, so low shares take up more of the scale.
    axes.imshow(matrix.shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    if len(matrix.names) <= _MOST_NUMBERED:
        between = [place + 0.5 for place in range(len(matrix.names) - 1)]
        axes.set_xticks(between, minor=True)
        axes.set_yticks(between, minor=True)
        axes.grid(which="minor", color="white", linewidth=1)


def _number(axes: "Axes", matrix: Confusion) -> None:
    for (row, column), count in ((place, matrix.counts[place]) for place in _places(len(matrix.names))):
        if count:
            colour = "white" if matrix.shares[row, column] > _DARK else INK
            axes.text(column, row, f"{count}", ha="center", va="center", color=colour, fontsize=_size(matrix))


def _name(axes: "Axes", matrix: Confusion, *, is_first: bool) -> None:
    places = range(len(matrix.names))
    words = [literal(name) for name in matrix.names]
    longest = max(map(len, matrix.names))
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if longest > 2 else {}
    size = 9 if len(matrix.names) <= _MOST_NUMBERED else max(3.0, 9 * _MOST_NUMBERED / len(matrix.names))
    axes.set_xticks(places, words, fontsize=size, color=INK, **turned)
    axes.set_yticks(places, words, fontsize=size, color=INK)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted", color=INK)
    if is_first:
        axes.set_ylabel("true", color=INK)


def _places(count: int) -> list[tuple[int, int]]:
    return [(row, column) for row in range(count) for column in range(count)]


def _size(matrix: Confusion) -> float:
    digits = len(str(int(matrix.counts.max())))
    return 9 if digits <= 3 else 7 if digits == 4 else 6
