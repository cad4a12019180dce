"""The effect of one factor, and of two together, drawn."""

from typing import TYPE_CHECKING

import numpy as np

from cnnlab.reports.colours import COLOURS, INK, SOFT
from cnnlab.reports.contents.factors import Effect, FactorLevel, HeatMap
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import TableColumn, text_of
from cnnlab.reports.figures.style import DOT, SIZE, in_unit, logarithmic, sheet, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOUR = COLOURS[0]
_LETTERS = 48
"""Of the usual size beside each other across a figure."""
_MAP = "cividis"
"""Even in brightness, and the same to people who see colours otherwise (Nuñez and others, 2018)."""


def draw_effect(subject: ReportSubject, effect: Effect) -> "Figure":
    """Means with intervals by value: along an axis where values are numbers, else a row a value."""
    column = TableColumn("", subject.metric.label, subject.metric.unit)
    if effect.scale == "words":
        return _draw_rows(effect, column)
    return _draw_line(effect, column)


def draw_heat_map(subject: ReportSubject, heat_map: HeatMap) -> "Figure":
    """The cells with their numbers, brighter the higher."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    count = len(heat_map.row_labels)
    figure, (axes,) = sheet(1.15 + 0.42 * count)
    known = heat_map.cells[np.isfinite(heat_map.cells)]
    norm = Normalize(known.min(), known.max() if np.ptp(known) else known.min() + 1e-9)
    colours = colormaps[_MAP]
    axes.grid(visible=False)
    texts = {place: text_of(float(value), subject.metric.unit) for place, value in np.ndenumerate(heat_map.cells)}
    row_labels = [short_label(label, 20) for label in heat_map.row_labels]
    # How many letters a column has room for, beside the names of the rows.
    room = (_LETTERS - max(map(len, row_labels))) / len(heat_map.column_labels)
    size = max(6.0, SIZE * min(1.0, room / (max(map(len, texts.values())) + 1)))
    masked = np.ma.masked_invalid(heat_map.cells)
    axes.pcolormesh(masked, cmap=_MAP, norm=norm, edgecolors="white", linewidth=1.5)
    for (row, place), value in np.ndenumerate(heat_map.cells):
        red, green, blue, _ = colours(norm(value)) if np.isfinite(value) else (1, 1, 1, 1)
        ink = "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "#FEFEFE"
        ink = ink if np.isfinite(value) else SOFT
        axes.text(place + 0.5, row + 0.5, texts[row, place], ha="center", va="center", color=ink, fontsize=size)
    is_turned = max(map(len, heat_map.column_labels)) + 1 > room
    axes.set_xticks(
        np.arange(len(heat_map.column_labels)) + 0.5, [short_label(label, 22) for label in heat_map.column_labels]
    )
    if is_turned:
        axes.tick_params(axis="x", rotation=35)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(count) + 0.5, row_labels)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel(short_label(heat_map.columns, 40), color=INK)
    axes.set_ylabel(short_label(heat_map.rows, 30), color=INK)
    return figure


def _draw_rows(effect: Effect, column: TableColumn) -> "Figure":
    figure, (axes,) = sheet(0.75 + 0.36 * len(effect.levels))
    for place, level in enumerate(effect.levels):
        if level.interval:
            axes.plot(level.interval, [place, place], color=_COLOUR, linewidth=2.4, zorder=3)
        if len(level.values) > 1:
            values = list(level.values.values())
            axes.plot(values, [place + 0.25] * len(values), ".", color=SOFT, markersize=4.5, zorder=2)
        axes.plot(level.mean, place, color=_COLOUR, **DOT)
    axes.set_yticks(range(len(effect.levels)), [short_label(level.label) for level in effect.levels])
    axes.set_ylim(len(effect.levels) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    in_unit(axes.xaxis, column)
    axes.set_xlabel(column.heading, color=INK)
    return figure


def _draw_line(effect: Effect, column: TableColumn) -> "Figure":
    levels = sorted(effect.levels, key=lambda level: level.x or 0.0)
    places = [level.x or 0.0 for level in levels]
    figure, (axes,) = sheet(2.6)
    if effect.is_fair:
        axes.plot(places, [level.mean for level in levels], color=_COLOUR, linewidth=1.5, alpha=0.6, zorder=2)
    for level, x in zip(levels, places, strict=True):
        if level.interval:
            axes.plot([x, x], level.interval, color=_COLOUR, linewidth=2.4, zorder=3)
        axes.plot(x, level.mean, color=_COLOUR, **DOT)
    if effect.scale == "logarithmic":
        logarithmic(axes)
    _mark_levels(axes, levels)
    in_unit(axes.yaxis, column)
    axes.set_title(column.heading, loc="left", color=INK, pad=5)
    axes.set_xlabel(short_label(effect.axis, 40), color=INK)
    return figure


def _mark_levels(axes: "Axes", levels: "list[FactorLevel]") -> None:
    """The values themselves along the axis, where they are few; else ticks as matplotlib sets them."""
    from matplotlib.ticker import FixedLocator, NullLocator

    letters = sum(len(level.label) + 2 for level in levels)
    if letters * 0.6 * SIZE < axes.figure.get_size_inches()[0] * 72 * 0.8:  # type: ignore[union-attr]
        axes.xaxis.set_major_locator(FixedLocator([level.x or 0.0 for level in levels]))
        axes.set_xticklabels([short_label(level.label) for level in levels])
        axes.xaxis.set_minor_locator(NullLocator())
