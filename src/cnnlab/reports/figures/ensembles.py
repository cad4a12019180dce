"""Ensembles drawn: beside their members, by their size, and how much members differ."""

from typing import TYPE_CHECKING

import numpy as np

from cnnlab.ensembles.analysis import Analysis
from cnnlab.reports.colours import COLOURS, INK, SOFT
from cnnlab.reports.contents.ensembles import MEASURES, unit
from cnnlab.reports.contents.tables import TableColumn
from cnnlab.reports.figures.style import DOT, SIZE, WIDTH, in_unit, sheet, short_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_ROWS = 30
_MOST_NUMBERED = 8
_MOST_NAMED = 20


def draw_members(analysis: Analysis) -> "Figure":
    """A row a member, the best on top of it all the ensemble: a dot, and a bar for the interval over pictures."""
    sign = 1 if analysis.better == "higher" else -1
    known = [one for one in analysis.members if one.scores.get(analysis.split) is not None]
    members = sorted(known, key=lambda one: -sign * (one.scores[analysis.split] or 0.0))[:_MOST_ROWS]
    rows = [analysis.ensemble, *members]
    figure, (axes,) = sheet(0.75 + 0.34 * len(rows))
    for place, judged in enumerate(rows):
        colour = COLOURS[1] if place == 0 else COLOURS[0]
        score, ends = judged.scores.get(analysis.split), judged.intervals.get(analysis.split)
        if ends is not None:
            axes.plot(ends, [place, place], color=colour, linewidth=2.4, zorder=3, alpha=0.9)
        if score is not None:
            axes.plot(score, place, color=colour, **DOT)
    axes.set_yticks(range(len(rows)), [short_label(one.name, 22) for one in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    _metric_axis(axes.xaxis, analysis)
    axes.set_xlabel(_heading(analysis), color=INK)
    return figure


def draw_sizes(analysis: Analysis) -> "Figure":
    """The metric of the mean of so many members, with a band over which of them are taken."""
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = sheet(3.0)
    sizes = [one.size for one in analysis.sizes]
    axes.fill_between(
        sizes,
        [one.low for one in analysis.sizes],
        [one.high for one in analysis.sizes],
        color=COLOURS[0],
        alpha=0.2,
        linewidth=0,
    )
    axes.plot(sizes, [one.mean for one in analysis.sizes], color=COLOURS[0], linewidth=2.0, **DOT)
    whole = analysis.ensemble.scores.get(analysis.split)
    if whole is not None:
        axes.axhline(whole, color=COLOURS[1], linewidth=1.4, linestyle=(0, (3, 2)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(min(sizes) - 0.3, max(sizes) + 0.3)
    axes.set_xlabel("members", color=INK)
    _metric_axis(axes.yaxis, analysis)
    axes.set_title(_heading(analysis), loc="left", color=INK, pad=5)
    return figure


def draw_diversity(analysis: Analysis) -> "Figure":
    """Pairs of members: darker the more their mistakes differ, with the number where there is room."""
    assert analysis.diversity is not None
    name = "disagreement" if analysis.diversity.disagreement is not None else "correlation"
    matrix = np.array(analysis.diversity.matrix(name), dtype=np.float64)
    count, scale = len(matrix), 100 if name == "disagreement" else 1
    figure, (axes,) = sheet(WIDTH * 0.9)
    axes.grid(visible=False)
    # Shades begin at none, so that small differences between pairs do not look large.
    darkest = max(float(np.nanmax(matrix)) * 1.25, 1e-3) if np.isfinite(matrix).any() else 1.0
    axes.imshow(matrix, cmap="Blues", interpolation="none", vmin=min(0.0, float(np.nanmin(matrix))), vmax=darkest)
    if count <= _MOST_NUMBERED:
        for (row, column), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                ink = "#FEFEFE" if value > darkest / 2 else "#222222"
                text = f"{value * scale:.1f}" if scale > 1 else f"{value:.2f}"
                axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=SIZE)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if count <= _MOST_NAMED:
        names = [short_label(one.name, 16) for one in analysis.members]
        axes.set_yticks(range(count), names)
        axes.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
    else:
        axes.set(xticks=[], yticks=[])
    axes.set_title(f"{MEASURES[name]}{' (%)' if scale > 1 else ''}", loc="left", color=SOFT, pad=5)
    return figure


def _heading(analysis: Analysis) -> str:
    return TableColumn("", f"{analysis.split} {analysis.metric.replace('_', ' ')}", unit(analysis)).heading


def _metric_axis(axis: object, analysis: Analysis) -> None:
    in_unit(axis, TableColumn("", "", unit(analysis)))
