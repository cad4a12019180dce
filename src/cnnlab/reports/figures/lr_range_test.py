"""A learning-rate range test, drawn."""

from typing import TYPE_CHECKING

from cnnlab.reports.colours import BAD, COLOURS, GREY, INK
from cnnlab.reports.figures.style import WIDTH, logarithmic, sheet
from cnnlab.training import LRRangeTest

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_range_test(test: LRRangeTest) -> "Figure":
    """The loss of each step and the smoothed one over the learning rate, and the rate to try."""
    figure, (axes,) = sheet(0.7 * WIDTH)
    axes.plot(test.rates, test.losses, color=GREY, alpha=0.5, linewidth=1, label="loss of the step")
    axes.plot(test.rates, test.smoothed, color=COLOURS[0], linewidth=2.1, label="smoothed")
    suggested = f"suggestion {test.suggestion:g}"
    axes.axvline(test.suggestion, color=BAD, linewidth=1.6, linestyle=(0, (3, 2)), label=suggested)
    logarithmic(axes)
    axes.set_ylim(0, 1.3 * max(test.smoothed))
    axes.set_title("training loss", loc="left", color=INK, pad=5)
    axes.set_xlabel("learning rate", color=INK)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, labelcolor=INK)
    return figure
