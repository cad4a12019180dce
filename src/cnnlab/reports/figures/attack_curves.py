"""Accuracy against budget, how far pictures had to be changed, and which classes become which, drawn."""

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnlab.attacks.budget_curve import BudgetCurve
from cnnlab.attacks.norms import WORDS, AnyNorm
from cnnlab.reports.colours import COLOURS, GREY, INK, LOOKS, Look
from cnnlab.reports.contents.attacks import ClassShares
from cnnlab.reports.contents.tables import TableColumn
from cnnlab.reports.figures.class_metrics import draw_class_shares
from cnnlab.reports.figures.style import DOT, in_unit, sheet, short_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEGEND_ROW = 0.23
_BINS = 24


def draw_budget_curves(curves: Sequence[BudgetCurve]) -> "Figure":
    """A line an attack, its interval over pictures as a band; noise in grey."""
    figure, (axes,) = sheet(3.3 + _LEGEND_ROW * len(curves))
    looks = cycle(LOOKS)
    for curve in curves:
        look = Look(GREY, "s", line=(0, (4, 2))) if curve.is_noise else next(looks)
        known = [place for place, interval in enumerate(curve.intervals) if interval is not None]
        low, high = ([getattr(curve.intervals[place], end) for place in known] for end in ("low", "high"))
        x = [curve.budgets[place] for place in known]
        axes.fill_between(x, low, high, color=look.colour, alpha=0.16, linewidth=0)
        axes.plot(
            curve.budgets,
            curve.accuracies,
            color=look.colour,
            linestyle=look.line,
            **{**DOT, "marker": look.marker, "markersize": 5.5},
            label=short_label(curve.attack, 44),
        )
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(left=0)
    in_unit(axes.yaxis, TableColumn("", "", "share"))
    in_unit(axes.xaxis, TableColumn("", "", "number"))
    norm = WORDS[curves[0].norm]
    axes.set_xlabel(f"budget in {norm}, pixels from 0 to 1", color=INK)
    axes.set_title("accuracy (%)", loc="left", color=INK, pad=5)
    figure.legend(loc="outside lower left", frameon=False, labelcolor=INK, handlelength=2.6)
    return figure


def draw_lengths(lengths: NDArray[np.float32], norm: AnyNorm) -> "Figure":
    """How many pictures were changed how far, over the share of them changed no farther."""
    figure, (upper, lower) = sheet(3.9, 2, [1.4, 1.0])
    ordered = np.sort(lengths)
    upper.step([0, *ordered], np.linspace(0, 1, len(ordered) + 1), where="post", color=COLOURS[0], linewidth=1.8)
    median = float(np.median(ordered))
    upper.axvline(median, color=COLOURS[1], linewidth=1.2, linestyle=(0, (3, 2)))
    upper.text(median, 0.04, f" median {median:.3g}", color=COLOURS[1], va="bottom")
    upper.set_ylim(0, 1.02)
    lower.hist(ordered, bins=_BINS, color=COLOURS[0], alpha=0.75)
    in_unit(upper.yaxis, TableColumn("", "", "share"))
    in_unit(lower.yaxis, TableColumn("", "", "number"))
    in_unit(lower.xaxis, TableColumn("", "", "number"))
    upper.set_title("pictures fooled by no longer a change (%)", loc="left", color=INK, pad=5)
    lower.set_title("pictures", loc="left", color=INK, pad=5)
    unit = "pixels changed" if norm == "l0" else f"length of the change in {WORDS[norm]}, pixels from 0 to 1"
    lower.set_xlabel(unit, color=INK)
    lower.set_xlim(left=0)
    return figure


def draw_class_matrix(found: ClassShares, *, is_targeted: bool) -> "Figure":
    """A row a true class; a column a class that pictures are taken for, or were to be taken for."""
    return draw_class_shares({"": found}, across="wanted" if is_targeted else "taken for")
