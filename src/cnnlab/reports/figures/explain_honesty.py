"""How far maps can be trusted, drawn: random weights, deletion and insertion, methods beside chance, and seeds."""

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlab.reports.colours import GREY, INK, LOOKS, PAPER, SOFT, Look
from cnnlab.reports.contents.tables import TableColumn
from cnnlab.reports.figures.style import DOT, in_unit, sheet, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cnnlab.evaluation import Estimate
    from cnnlab.explain.honesty.randomisation import RandomisationTest
    from cnnlab.explain.honesty.ranking import MeasureRanking
    from cnnlab.explain.honesty.removal import Removal, RemovalCurves
    from cnnlab.explain.honesty.seed_similarity import SeedSimilarity
    from cnnlab.explain.honesty.similarity import Similarity

_SIMILARITY = {
    "absolute": "rank correlation of magnitudes",
    "signed": "rank correlation of signed values",
    "ssim": "structural similarity of what is shown",
}
_DASHED: Any = (0, (4, 2))
_DOTTED: Any = (0, (1, 1.6))
_ROW, _LEGEND_ROW = 0.36, 0.23
"""Inches of a row of dots, and of a line of a legend."""
_LONGEST_LAYER = 16


def draw_randomisation(tests: "Sequence[RandomisationTest]", measure: "Similarity" = "absolute") -> "Figure":
    """How alike maps stay as the network becomes random from the top down: a line a method, its interval as a band.

    Dashed is the edge detector, which nothing changes; dotted the threshold above which a method fails.
    """
    layers = tests[0].layers
    places = np.arange(len(layers) + 1)
    figure, (axes,) = sheet(3.5 + _LEGEND_ROW * (len(tests) + 2))
    for test, look in zip(tests, cycle(LOOKS), strict=False):
        # With nothing random yet, a map is like itself.
        _band(axes, places[1:], test.curve(measure), look, None)
        values = [1.0, *(each.value for each in test.curve(measure))]
        axes.plot(places, values, color=look.colour, linestyle=look.line, marker=look.marker, markersize=5, zorder=3)
        axes.plot(
            [], [], color=look.colour, linestyle=look.line, marker=look.marker, label=short_label(test.method, 38)
        )
    # Of pictures without an edge nothing is known.
    control = np.ma.masked_invalid(tests[0].control).mean((0, 2)).filled(np.nan)
    axes.plot(places, [1.0, *control], color=GREY, linestyle=_DASHED, linewidth=1.6, label="edge detector", zorder=2)
    if measure == "absolute":
        rule = tests[0].threshold
        axes.axhline(rule, color=SOFT, linestyle=_DOTTED, label=f"above {rule:g} when all is random, a method fails")
    names = ["nothing", *(short_label(layer, _LONGEST_LAYER) for layer in layers)]
    axes.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor")
    reached = [each.interval.low for test in tests for each in test.curve(measure) if each.interval is not None]
    axes.set_ylim(min(-0.1, *reached, 0.0), 1.06)
    in_unit(axes.yaxis, TableColumn("", "", "number"))
    axes.set_xlabel("random from the top down to", color=INK)
    axes.set_title(_SIMILARITY[measure], loc="left", color=INK, pad=5)
    figure.legend(loc="outside lower left", frameon=False, labelcolor=INK, handlelength=2.2)
    return figure


def draw_removal_curves(curves: "Sequence[RemovalCurves]") -> "Figure":
    """Deletion on the left, insertion on the right: a line a method, its interval as a band, random orders in grey."""
    ways: tuple[Removal, ...] = ("deletion", "insertion")
    figure, panels = sheet(3.3 + _LEGEND_ROW * ((len(curves) + 2) // 2), columns=len(ways))
    for axes, way in zip(panels, ways, strict=True):
        first = curves[0]
        if first.random_scores[way].size:
            _band(axes, first.shares, first.random_curve(way), Look(GREY, line=_DASHED), "random orders")
        for found, look in zip(curves, cycle(LOOKS), strict=False):
            _band(axes, found.shares, found.curve(way), look, short_label(found.method, 38))
        in_unit(axes.xaxis, TableColumn("", "", "share"))
        is_share = first.score == "probability"
        in_unit(axes.yaxis, TableColumn("", "", "share" if is_share else "number"))
        axes.set(xlim=(0, 1))
        axes.set_xlabel(f"pixels {'deleted' if way == 'deletion' else 'inserted'} (%)", color=INK)
        kind = "probability (%)" if is_share else "output"
        axes.set_title(f"{way}: {kind}", loc="left", color=INK, pad=5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False, labelcolor=INK, handlelength=2.2)
    return figure


def _band(axes: "Axes", places: Any, estimates: "Sequence[Estimate]", look: Look, label: str | None) -> None:
    """A line of means, and their intervals; without a label the intervals alone."""
    low = [each.value if each.interval is None else each.interval.low for each in estimates]
    high = [each.value if each.interval is None else each.interval.high for each in estimates]
    axes.fill_between(places, low, high, color=look.colour, alpha=0.16, linewidth=0, zorder=1)
    if label is not None:
        values = [each.value for each in estimates]
        axes.plot(places, values, color=look.colour, linestyle=look.line, linewidth=1.8, label=label, zorder=3)


_WANTED = {
    "deletion": "area under deletion (less is better)",
    "insertion": "area under insertion (more is better)",
    "pointing": "share in the right quadrant (%)",
}


def draw_measure_ranking(measure: "MeasureRanking") -> "Figure":
    """A dot a method with its interval, the best above; hollow where worse than the best. Dashed is what chance has."""
    figure, (axes,) = sheet(1.2 + _ROW * len(measure.methods))
    best = measure.best
    for row, place in enumerate(measure.order):
        method, found = measure.methods[place], measure.estimate(place)
        colour = LOOKS[place % len(LOOKS)].colour
        if found.interval is not None:
            ends = [found.interval.low, found.interval.high]
            axes.plot(ends, [row, row], color=colour, linewidth=2.2, alpha=0.6, zorder=3)
        face = colour if method in best else PAPER
        axes.plot(found.value, row, **{**DOT, "color": colour, "markerfacecolor": face, "markeredgecolor": colour})
    axes.axvline(measure.by_chance.value, color=SOFT, linestyle=_DASHED, linewidth=1.2, zorder=1)
    axes.set_yticks(range(len(measure.methods)), [short_label(measure.methods[place]) for place in measure.order])
    axes.set_ylim(len(measure.methods) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.08)
    in_unit(axes.xaxis, TableColumn("", "", "share" if measure.measure == "pointing" else "number"))
    axes.set_xlabel(_WANTED[measure.measure], color=INK)
    return figure


def draw_seed_similarity(found: "Sequence[SeedSimilarity]", measure: "Similarity" = "absolute") -> "Figure":
    """A row a method: how alike maps of one picture are in two trainings, beside two pictures' maps in one training."""
    figure, (axes,) = sheet(1.5 + _ROW * len(found))
    kinds = (
        ("one picture, two trainings", LOOKS[0], [each.similarity(measure) for each in found]),
        ("two pictures, one training", LOOKS[1], [each.reference(measure) for each in found]),
    )
    for shift, (label, look, estimates) in zip((-0.13, 0.13), kinds, strict=True):
        for row, each in enumerate(estimates):
            if each.interval is not None:
                ends = [each.interval.low, each.interval.high]
                axes.plot(ends, [row + shift] * 2, color=look.colour, linewidth=2.2, alpha=0.6, zorder=3)
        rows = np.arange(len(found)) + shift
        looks = {**DOT, "color": look.colour, "linestyle": "", "marker": ("o", "s")[shift > 0], "markersize": 7.5}
        axes.plot([each.value for each in estimates], rows, label=label, **looks)
    axes.set_yticks(range(len(found)), [short_label(each.method) for each in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.08)
    in_unit(axes.xaxis, TableColumn("", "", "number"))
    axes.set_xlabel(_SIMILARITY[measure], color=INK)
    figure.legend(loc="outside lower left", ncols=1, frameon=False, labelcolor=INK, handletextpad=0.2)
    return figure
