"""Accuracy against budget, how far pictures had to be changed, and which classes become which, drawn."""

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnlab.attacks import Curve
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


def draw_curve(found: Curve) -> "Figure":
    """A line an attack, and a thick one of several together, whose interval over pictures is a band; noise in grey."""
    figure, (axes,) = sheet(3.3 + _LEGEND_ROW * (len(found.attacks) + 1))
    budgets = [0.0, *found.budgets]
    clean = found.clean_accuracy
    noise = Look(GREY, "s", line=(0, (4, 2)))
    several = len(found.attacks) > 1
    looks = iter(cycle(LOOKS))
    lines = [(name, own, next(looks), 1.8) for name, own in zip(found.attacks, found.by_attack, strict=True)]
    # Together they lie on the lowest of them, which is to be seen before it.
    whole = [("all together", found.robust_accuracy, next(looks), 4.0)] if several else []
    for name, accuracy, look, width in (*whole, *lines, ("uniform-noise", found.noise_accuracy, noise, 1.8)):
        axes.plot(
            budgets,
            [clean, *accuracy],
            color=look.colour,
            linestyle=look.line,
            **{**DOT, "marker": look.marker, "markersize": 5.5},
            linewidth=width,
            label=short_label(name, 44),
        )
    banded = (whole or lines)[0][2]
    for look, intervals in ((banded, found.intervals), (noise, found.noise_intervals)):
        ends = [found.clean_interval, *intervals]
        known = [place for place, interval in enumerate(ends) if interval is not None]
        low, high = ([getattr(ends[place], end) for place in known] for end in ("low", "high"))
        x = [budgets[place] for place in known]
        axes.fill_between(x, low, high, color=look.colour, alpha=0.16, linewidth=0)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(left=0)
    in_unit(axes.yaxis, TableColumn("", "", "share"))
    in_unit(axes.xaxis, TableColumn("", "", "number"))
    axes.set_xlabel(f"budget in {WORDS[found.norm]}, pixels from 0 to 1", color=INK)
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
