"""Cross-validations drawn."""

from typing import TYPE_CHECKING

from cnnlab.core import metric_names
from cnnlab.ensembles.cross_validation import CrossValidation
from cnnlab.reports.colours import COLOURS, INK
from cnnlab.reports.contents.tables import TableColumn
from cnnlab.reports.figures.style import DOT, in_unit, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_folds(found: CrossValidation) -> "Figure":
    """A dot a fold, with the cross-validated score and its interval behind them."""
    from matplotlib.ticker import MaxNLocator

    assert found.judged is not None
    judged = found.judged
    column = TableColumn("", found.metric.replace("_", " "), metric_names.unit(found.metric))
    figure, (axes,) = sheet(3.0)
    if judged.low is not None and judged.high is not None:
        axes.axhspan(judged.low, judged.high, color=COLOURS[0], alpha=0.15, linewidth=0)
    axes.axhline(judged.value, color=COLOURS[0], linewidth=1.6)
    axes.plot(range(1, len(judged.folds) + 1), judged.folds, color=COLOURS[1], linestyle="none", **DOT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(0.5, len(judged.folds) + 0.5)
    axes.set_xlabel("fold", color=INK)
    in_unit(axes.yaxis, column)
    axes.set_title(column.heading, loc="left", color=INK, pad=5)
    return figure
