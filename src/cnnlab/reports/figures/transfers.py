"""Transfers drawn."""

from typing import TYPE_CHECKING

from cnnlab.reports.colours import INK, LOOKS
from cnnlab.reports.contents.tables import Table, TableColumn
from cnnlab.reports.figures.style import DOT, in_unit, sheet, short_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_scores(table: Table, labels: list[str], metric: str) -> "Figure":
    """A row a classifier, the best on top: a dot with its interval for each backbone.

    :param table: names of classifiers, then for each of the ``labels`` a column of means and perhaps one of intervals.
    """
    keys = [column.key for column in table.columns]
    means = {label: keys.index(label) for label in labels if label in keys}
    rows = sorted(table.rows, key=lambda row: -max(row[place] for place in means.values() if row[place] is not None))
    figure, (axes,) = sheet(1.0 + 0.36 * len(rows) + 0.22 * len(means) * (len(means) > 1))
    for number, (label, place) in enumerate(means.items()):
        look = LOOKS[number % len(LOOKS)]
        # Backbones stand a little under one another, so that no interval hides another.
        shift = 0.0 if len(means) == 1 else 0.36 * (number / (len(means) - 1) - 0.5)
        ends = keys.index(f"{label}_interval") if f"{label}_interval" in keys else None
        for y, row in enumerate(rows):
            if ends is not None and row[ends] is not None:
                axes.plot([*row[ends]], [y + shift] * 2, color=look.colour, linewidth=2.2, zorder=3, alpha=0.9)
        axes.plot(
            [row[place] for row in rows],
            [y + shift for y in range(len(rows))],
            color=look.colour,
            linestyle="none",
            label=label,
            **{**DOT, "marker": look.marker, "markersize": 7.5},
        )
    axes.set_yticks(range(len(rows)), [short_label(row[0]) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    column = TableColumn("", metric, "share")
    in_unit(axes.xaxis, column)
    axes.set_xlabel(column.heading, color=INK)
    axes.grid(axis="y", visible=False)
    if len(means) > 1:
        figure.legend(loc="outside upper left", ncols=2, frameon=False, labelcolor=INK)
    return figure
