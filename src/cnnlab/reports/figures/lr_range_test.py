"""A learning-rate range test, drawn."""

from typing import TYPE_CHECKING

import numpy as np

from cnnlab.reports.colours import BAD, COLOURS, INK, SOFT
from cnnlab.reports.contents.tables import TableColumn
from cnnlab.reports.figures.style import DOT, in_unit, logarithmic, sheet
from cnnlab.training import LRRangeTest

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_range_test(test: LRRangeTest) -> "Figure":
    """The loss of each step as dots and the smoothed one as a line over the learning rate, and the rate to try.

    The suggestion stands above the panel, as the gap of learning curves does, with a dot where it meets the curve.
    """
    figure, (axes,) = sheet(3.0)
    axes.plot(test.rates, test.losses, ".", color=SOFT, alpha=0.55, markersize=4.5, zorder=2)
    axes.plot(test.rates, test.smoothed, color=COLOURS[0], linewidth=2.1, zorder=3)
    logarithmic(axes)
    low, high = min(min(test.losses), min(test.smoothed)), 1.15 * max(test.smoothed)
    axes.set_ylim(low - 0.06 * (high - low), high)
    place = float(np.interp(np.log(test.suggestion), np.log(test.rates), test.smoothed))
    axes.axvline(test.suggestion, color=BAD, linewidth=1.2, linestyle=(0, (2, 2)), zorder=2)
    axes.plot(test.suggestion, place, color=BAD, **DOT)
    in_unit(axes.yaxis, TableColumn("", "", "loss"))
    axes.set_title("training loss", loc="left", color=INK, pad=5)
    axes.set_title(f"suggestion {test.suggestion:g}", loc="right", color=BAD, pad=5)
    axes.set_xlabel("learning rate; dots: single steps, line: smoothed", color=INK)
    return figure
