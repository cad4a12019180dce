"""A search, drawn step by step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnlab.core.measurements import Metric
from cnnlab.reports.colours import COLOURS, INK, SOFT
from cnnlab.reports.contents.search import TriedSetting
from cnnlab.reports.contents.tables import TableColumn
from cnnlab.reports.figures.style import DOT, in_unit, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_search(steps: Sequence[TriedSetting], metric: Metric) -> "Figure":
    """A dot a step, hollow where it was stopped early; the best so far as a line of steps."""
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = sheet(2.8)
    line = [(step.number + 1, step.best) for step in steps if step.best is not None]
    if line:
        axes.step([x for x, _ in line], [y for _, y in line], where="post", color=COLOURS[1], linewidth=2)
    for step in steps:
        if step.value is None:
            continue
        if step.state == "complete":
            axes.plot(step.number + 1, step.value, color=COLOURS[0], **DOT)
        else:
            axes.plot(step.number + 1, step.value, "o", markersize=7, color="none", markeredgecolor=SOFT)
    column = TableColumn("", metric.label, metric.unit)
    in_unit(axes.yaxis, column)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_title(column.heading, loc="left", color=INK, pad=5)
    axes.set_xlabel("step", color=INK)
    return figure
