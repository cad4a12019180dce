"""Training time against what it reaches, drawn."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cnnlab.reports.colours import INK, SOFT, Look
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import TableColumn
from cnnlab.reports.contents.trade_off import TradeOffPoint
from cnnlab.reports.figures.style import DOT, WIDTH, haloed, in_unit, logarithmic, sheet, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_MOST_NAMED = 8
_MOST_LINED = 12
_WIDE = 8
_LETTER, _LINE, _DOT = 0.0235, 0.085, 0.016
"""Width of a letter, height of a line and half the width of a dot, as shares of the panel."""
_KEY_LINE = 0.22
"""Inches that a line of the key takes below."""
_STEPS = (0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0)
_NEAR = 3
"""So many of these steps are so short that a name still stands by its dot without a line to it."""


class PanelBox(NamedTuple):
    """A part of the panel, in shares of it."""

    left: float
    right: float
    bottom: float
    top: float

    def meets(self, other: "PanelBox") -> bool:
        """Whether the two have a place in common."""
        beside = self.right <= other.left or other.right <= self.left
        return not beside and self.bottom < other.top and other.bottom < self.top

    def holds(self, x: float, y: float) -> bool:
        """Whether a place is within it."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top


def draw_trade_off(subject: ReportSubject, points: Sequence[TradeOffPoint]) -> "Figure":
    """A dot a setting with the range of its times and its interval, of many for the front alone; the front as steps.

    The settings that figures tell apart are named, those for which there is no room beside their dots in a key below.
    """
    figure, (axes,) = sheet(3.2)
    times = [point.seconds for point in points]
    if max(times) / min(times) > _WIDE:
        logarithmic(axes)
    for point in points:
        _draw_point(axes, point, subject.looks[point.key], has_lines=point.is_front or len(points) <= _MOST_LINED)
    front = sorted((point for point in points if point.is_front), key=lambda point: point.seconds)
    if len(front) > 1:
        x, y = [point.seconds for point in front], [point.value for point in front]
        axes.step(x, y, where="post", color=SOFT, linewidth=1.2, linestyle=(0, (2, 2)), zorder=2)
    column = TableColumn("", subject.metric.label, subject.metric.unit)
    in_unit(axes.yaxis, column)
    if axes.get_xscale() == "linear":
        in_unit(axes.xaxis, TableColumn("", "", "number"))
    axes.margins(x=0.12, y=0.12)
    names = {key: key if subject.has_keys else name for key, name in subject.names.items()}
    # Where times cannot be compared there is no front, and the best setting is named in its place.
    best = [point for point in points if subject.best is not None and point.key == subject.best.key]
    shown = [setting.key for setting in subject.shown]
    unnamed = _name_points(axes, names, front or best, points, shown)
    if unnamed:
        handles = [_sign(subject.looks[key]) for key in unnamed]
        labels = [short_label(names[key]) for key in unnamed]
        figure.set_figheight(figure.get_figheight() + _KEY_LINE * math.ceil(len(unnamed) / 2))
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, labelcolor=INK)
    axes.set_title(column.heading, loc="left", color=INK, pad=5)
    axes.set_xlabel("training time of one run (s)", color=INK)
    return figure


def _draw_point(axes: "Axes", point: TradeOffPoint, look: Look, *, has_lines: bool) -> None:
    colour = look.colour
    if has_lines and point.interval:
        axes.plot([point.seconds] * 2, point.interval, color=colour, linewidth=1.4, alpha=0.6, zorder=3)
    if has_lines and point.longest > point.shortest:
        axes.plot([point.shortest, point.longest], [point.value] * 2, color=colour, linewidth=1.4, alpha=0.6, zorder=3)
    size = 9.5 if point.is_front else 7
    axes.plot(point.seconds, point.value, color=colour, **{**DOT, "markersize": size, "marker": look.marker})


def _sign(look: Look) -> "Line2D":
    from matplotlib.lines import Line2D

    return Line2D([], [], color=look.colour, **{**DOT, "linestyle": "", "marker": look.marker})


def _name_points(
    axes: "Axes",
    names: Mapping[str, str],
    front: Sequence[TradeOffPoint],
    points: Sequence[TradeOffPoint],
    shown: Sequence[str],
) -> list[str]:
    """Those of the front by name, and those shown for which there is room; none over another name or a dot.

    :param shown: by their keys.
    :returns: of those shown, the others.
    """
    # Limits follow the data only once they are asked for.
    axes.autoscale_view()
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    to_share = axes.transData + axes.transAxes.inverted()
    places = {point.key: tuple(map(float, to_share.transform((point.seconds, point.value)))) for point in points}
    taken = [PanelBox(x - _DOT, x + _DOT, y - 2 * _DOT, y + 2 * _DOT) for x, y in places.values()]
    others = [point for point in points if point.key in shown and point not in front]
    letter = _LETTER * WIDTH / axes.figure.get_size_inches()[0]  # type: ignore[union-attr]
    unnamed = []
    for point in (*sorted(front[-_MOST_NAMED:], key=lambda point: -point.value), *others):
        x, y = places[point.key]
        own = [box for box in taken if not box.holds(x, y)]
        box = room_for(x, y, len(names[point.key]) * letter, own, steps=_STEPS if point.is_front else _STEPS[:_NEAR])
        if box is not None:
            taken.append(box)
            _name_point(axes, names[point.key], (x, y), box, is_front=point.is_front)
        elif point.key in shown:
            unnamed.append(point.key)
    return unnamed


def _name_point(axes: "Axes", name: str, place: tuple[float, float], box: PanelBox, *, is_front: bool) -> None:
    x, y = place
    is_left = box.right < x
    level = (box.bottom + box.top) / 2
    if abs(level - y) > _LINE:
        end = box.right if is_left else box.left
        axes.plot([x, end], [y, level], color=SOFT, linewidth=0.8, zorder=3, transform=axes.transAxes)
    label = axes.text(
        box.right if is_left else box.left,
        level,
        name,
        transform=axes.transAxes,
        ha="right" if is_left else "left",
        va="center",
        color=INK,
        fontweight="bold" if is_front else "normal",
        zorder=6,
    )
    haloed(label)


def room_for(x: float, y: float, width: float, taken: Sequence[PanelBox], *, steps: Sequence[float]) -> PanelBox | None:
    """The nearest free place for a name of this width beside a dot, within the panel; None where there is none.

    :param steps: how far up or down it may be moved, in lines, nearest first.
    """
    sides = (x + 1.6 * _DOT, x - 1.6 * _DOT - width)
    for step in steps:
        middle = y + step * _LINE
        for left in sides if x <= 0.5 else reversed(sides):
            box = PanelBox(left, left + width, middle - _LINE / 2, middle + _LINE / 2)
            is_inside = box.left >= -0.02 and box.right <= 1.02 and box.bottom >= 0 and box.top <= 1.04
            if is_inside and not any(box.meets(other) for other in taken):
                return box
    return None
