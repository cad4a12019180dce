"""Predicted numbers drawn: against the true ones, and how far off they are."""

from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlab.reports.colours import COLOURS, INK, SOFT
from cnnlab.reports.contents.numbers import NumberDetails
from cnnlab.reports.contents.tables import TableColumn
from cnnlab.reports.figures.style import in_unit, logarithmic, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_DOTS = 600
_CELLS = 72
_HOURS = 3 * 60


def draw_numbers(details: NumberDetails) -> "Figure":
    """Predicted against true: a dot each, or where there are many how many fall into each small square."""
    figure, (axes,) = sheet(4.7)
    numbers = details.predictions
    whole = np.concatenate([numbers.truth, numbers.predicted])
    low, high = (0.0, numbers.period) if numbers.period else (float(whole.min()), float(whole.max()))
    edge = 0.0 if numbers.period else 0.03 * (high - low or 1.0)
    low, high = low - edge, high + edge
    predicted = numbers.predicted % numbers.period if numbers.period else numbers.predicted
    axes.plot([low, high], [low, high], color=SOFT, linewidth=1.2, linestyle=(0, (3, 2)), zorder=4)
    if len(numbers) <= _MOST_DOTS:
        axes.scatter(numbers.truth, predicted, s=14, color=COLOURS[0], alpha=0.6, linewidth=0, zorder=3)
    else:
        _shade(axes, numbers.truth, predicted, (low, high))
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        _ticks(axis, details, high)
    axes.set_xlabel(f"true {details.name}", color=INK)
    axes.set_title(f"predicted {details.name}", loc="left", color=INK, pad=5)
    return figure


def draw_distances(details: NumberDetails) -> "Figure":
    """The share of predictions that are at most so far off, and that of who always guesses the same on average."""
    figure, (axes,) = sheet(2.9)
    far = np.sort(details.predictions.distances)
    positive = far[far > 0]
    if not len(positive):
        positive = np.array([1.0])
    # What is exactly right has no place on a logarithmic axis; the curve starts at its share.
    x = np.concatenate([[positive[0] / 2], positive, [max(positive[-1], details.predictions.guess) * 1.3]])
    right = len(far) - np.count_nonzero(far)
    y = np.concatenate([[right], right + np.arange(1, len(positive) + 1), [len(far)]]) / len(far)
    if len(x) > _MOST_DOTS:
        kept = np.unique(np.linspace(0, len(x) - 1, _MOST_DOTS).round().astype(int))
        x, y = x[kept], y[kept]
    axes.step(x, y, where="post", color=COLOURS[0], linewidth=2.1)
    if details.predictions.guess > 0:
        axes.axvline(details.predictions.guess, color=SOFT, linewidth=1.2, linestyle=(0, (3, 2)))
    logarithmic(axes)
    axes.set_ylim(0, 1.02)
    column = TableColumn("", "off by at most", details.predictions.unit)
    axes.set_xlabel(column.heading, color=INK)
    in_unit(axes.yaxis, TableColumn("", "", "share"))
    axes.set_title("share of predictions (%)", loc="left", color=INK, pad=5)
    return figure


def _shade(axes: "Axes", truth: Any, predicted: Any, ends: tuple[float, float]) -> None:
    from matplotlib.colors import PowerNorm

    counts, _, _ = np.histogram2d(predicted, truth, bins=_CELLS, range=(ends, ends))
    # Few gross errors among thousands that are right are to be seen too.
    norm = PowerNorm(0.35, vmin=0, vmax=counts.max())
    extent = (*ends, *ends)
    axes.imshow(counts, cmap="Blues", norm=norm, origin="lower", extent=extent, interpolation="none")


def _ticks(axis: Any, details: NumberDetails, high: float) -> None:
    if details.predictions.unit != "minutes":
        in_unit(axis, TableColumn("", "", "number"))
        return
    places = np.arange(0, high + 1, _HOURS)
    axis.set_ticks(places, [details.text(place) for place in places])
