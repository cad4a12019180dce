"""Training time against what it reaches, drawn."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cnnlab.reports.canvas import INK
from cnnlab.reports.contents.subject import Subject
from cnnlab.reports.contents.tables import Column
from cnnlab.reports.contents.trade_off import Point
from cnnlab.reports.figures.ink import DOT, SOFT, haloed, in_unit, logarithmic, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NAMED = 8
_MOST_LINED = 12
_WIDE = 8
_LETTER, _LINE = 0.024, 0.085
"""Width of a letter and height of a line, as shares of the panel."""


def draw_trade_off(subject: Subject, points: Sequence[Point], colours: Mapping[str, str]) -> "Figure":
    """A dot a setting with the range of its times and its interval, of many for the front alone; the front as steps."""
    figure, (axes,) = sheet(3.2)
    times = [point.seconds for point in points]
    if max(times) / min(times) > _WIDE:
        logarithmic(axes)
    for point in points:
        _draw_point(axes, point, colours[point.key], has_lines=point.is_front or len(points) <= _MOST_LINED)
    front = sorted((point for point in points if point.is_front), key=lambda point: point.seconds)
    if len(front) > 1:
        x, y = [point.seconds for point in front], [point.value for point in front]
        axes.step(x, y, where="post", color=SOFT, linewidth=1.2, linestyle=(0, (2, 2)), zorder=2)
    column = Column("", subject.metric.label, subject.metric.unit)
    in_unit(axes.yaxis, column)
    if axes.get_xscale() == "linear":
        in_unit(axes.xaxis, Column("", "", "number"))
    axes.margins(x=0.12, y=0.12)
    _name_points(axes, subject.names, front, points)
    axes.set_title(column.heading, loc="left", color=INK, pad=5)
    axes.set_xlabel("training time of one run (s)", color=INK)
    return figure


def _draw_point(axes: "Axes", point: Point, colour: str, *, has_lines: bool) -> None:
    if has_lines and point.interval:
        axes.plot([point.seconds] * 2, point.interval, color=colour, linewidth=1.4, alpha=0.6, zorder=3)
    if has_lines and point.longest > point.shortest:
        axes.plot([point.shortest, point.longest], [point.value] * 2, color=colour, linewidth=1.4, alpha=0.6, zorder=3)
    size = 9.5 if point.is_front else 7
    axes.plot(point.seconds, point.value, color=colour, **{**DOT, "markersize": size})


def _name_points(axes: "Axes", names: Mapping[str, str], front: Sequence[Point], points: Sequence[Point]) -> None:
    """Those of the front by name, and all where they are few; towards the middle of the figure, none over another."""
    named = list(points) if len(points) <= _MOST_NAMED else list(front)[-_MOST_NAMED:]
    # Limits follow the data only once they are asked for.
    axes.autoscale_view()
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    to_share = axes.transData + axes.transAxes.inverted()
    taken: list[tuple[float, float, float]] = []
    for point in sorted(named, key=lambda one: -one.value):
        x, y = to_share.transform((point.seconds, point.value))
        is_right = bool(x > 0.5)
        width = len(names[point.key]) * _LETTER
        left, right = (x - width, x) if is_right else (x, x + width)
        level = y + 0.03
        while any(abs(level - other) < _LINE and left < end and start < right for start, end, other in taken):
            level -= _LINE / 4
        taken.append((left, right, level))
        label = axes.annotate(
            names[point.key],
            (x, level),
            (-9, 0) if is_right else (9, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right" if is_right else "left",
            va="center",
            color=INK,
            fontweight="bold" if point.is_front else "normal",
            zorder=6,
        )
        haloed(label)
