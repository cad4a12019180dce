"""ROC and precision-recall curves, drawn; where all of them keep to the corner, that is shown larger."""

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from cnnlab.reports.colours import COLOURS, FAINT, GREY, INK, PAPER, SOFT
from cnnlab.reports.contents.ranking_curves import Ranking, RankingLine
from cnnlab.reports.contents.tables import TableColumn, text_of, with_unit
from cnnlab.reports.figures.style import WIDTH, in_unit, sheet, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_AXES = {
    "roc": ("false positive rate (%)", "true positive rate (%)"),
    "precision-recall": ("recall (%)", "precision (%)"),
}
_LOOKS: dict[str, dict[str, Any]] = {
    "mean": {"color": INK, "linewidth": 2.4, "zorder": 4},
    "named": {"linewidth": 1.7, "zorder": 3},
    "other": {"color": GREY, "linewidth": 0.8, "alpha": 0.6, "zorder": 2},
}
_CORNER = 0.1
"""The part of each axis that is shown larger."""
_NEARLY_ONE = 0.985
"""Curves of such areas have most of what tells them apart in the corner."""
_MOST_LINES = 12
_HEIGHT = 0.23
"""Inches of a line of the legend."""


def draw_ranking(ranking: Ranking) -> "Figure":
    """All curves in one panel, with their areas in the legend."""
    others = sum(line.role == "other" for line in ranking.lines)
    named = [line for line in ranking.lines if line.role != "other"]
    rows = min(len(named), _MOST_LINES) + bool(others)
    figure, (axes,) = sheet(WIDTH * 0.95 + _HEIGHT * rows)
    _draw_lines(axes, ranking)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    for axis, label in zip((axes.xaxis, axes.yaxis), _AXES[ranking.kind], strict=True):
        in_unit(axis, TableColumn("", "", "share"))
        axis.set_label_text(label, color=INK)
    if _keep_to_the_corner(ranking):
        _enlarge_corner(axes, ranking)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", frameon=False, labelcolor=INK, handlelength=1.6)
    return figure


def _draw_lines(axes: "Axes", ranking: Ranking) -> None:
    if ranking.kind == "roc":
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1.0, linestyle=(0, (3, 2)), zorder=1)
    elif ranking.chance is not None:
        axes.plot([0, 1], [ranking.chance] * 2, color=SOFT, linewidth=1.0, linestyle=(0, (3, 2)), zorder=1)
    # Black is that of the mean.
    colours = cycle(COLOURS[:-1])
    others = [line for line in ranking.lines if line.role == "other"]
    for line in ranking.lines:
        looks = {**_LOOKS[line.role], **({"color": next(colours)} if line.role == "named" else {})}
        # A precision holds from one picture found to the next.
        style = "default" if ranking.kind == "roc" else "steps-pre"
        axes.plot(line.x, line.y, label=_label(line, others), drawstyle=style, **looks)


def _label(line: RankingLine, others: Sequence[RankingLine]) -> str:
    if line.role != "other":
        return f"{short_label(line.label, 34)}: {with_unit(line.area, 'share')}"
    # One entry stands for all that are not named.
    if line is not others[0]:
        return "_"
    low, high = min(other.area for other in others), max(other.area for other in others)
    count = f"{len(others)} other class{'es' if len(others) > 1 else ''}"
    whole = with_unit(high, "share")
    return f"{count}: {whole}" if len(others) == 1 else f"{count}: {text_of(low, 'share')} to {whole}"


def _keep_to_the_corner(ranking: Ranking) -> bool:
    return all(line.area > _NEARLY_ONE for line in ranking.lines)


def _enlarge_corner(axes: "Axes", ranking: Ranking) -> None:
    """The corner where the best curves are, in the empty middle of the panel."""
    inset = axes.inset_axes((0.36, 0.2, 0.56, 0.56) if ranking.kind == "roc" else (0.14, 0.2, 0.56, 0.56))
    _draw_lines(inset, ranking)
    inset.set(xlim=(0, _CORNER) if ranking.kind == "roc" else (1 - _CORNER, 1.002), ylim=(1 - _CORNER, 1.002))
    inset.grid(color=FAINT, linewidth=0.6)
    inset.spines[:].set_color(SOFT)
    inset.tick_params(color=SOFT, labelcolor=INK, length=2)
    for axis in (inset.xaxis, inset.yaxis):
        in_unit(axis, TableColumn("", "", "share"))
        for tick in axis.get_ticklabels():
            # Lines of the large panel run behind them.
            tick.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 1})
    axes.indicate_inset_zoom(inset, edgecolor=SOFT, alpha=0.7)
