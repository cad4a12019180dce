"""Settings beside one another: means with their intervals, single trials behind them, published numbers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnlab.reports.colours import INK, SOFT
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import TableColumn
from cnnlab.reports.figures.style import DOT, haloed, in_unit, sheet, short_label
from cnnlab.studies.result import Setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 30
"""Settings in one figure; of more, the best are drawn."""
_LONGEST = 46
"""Letters of a name as wide as the figure."""


def drawn_settings(subject: ReportSubject) -> tuple[Setting, ...]:
    """Those that have values, the best first; the baseline always among them."""
    chosen = list(subject.ranked[:MOST])
    baseline = subject.baseline
    if baseline is not None and baseline in subject.ranked and baseline not in chosen:
        chosen[-1] = baseline
    return tuple(chosen)


def draw_settings(subject: ReportSubject, published: Mapping[str, float]) -> "Figure":
    """A row a setting, the best on top: a dot a trial, a bar for the 95% interval, a diamond for what was published."""
    settings = drawn_settings(subject)
    figure, (axes,) = sheet(0.75 + (0.52 if subject.has_keys else 0.36) * len(settings))
    for place, setting in enumerate(settings):
        _draw_row(axes, place, subject, setting)
        if setting.key in published:
            axes.plot(published[setting.key], place, "D", color="none", markeredgecolor=INK, markersize=7, zorder=5)
    _name_rows(axes, settings, subject)
    column = TableColumn("", subject.metric.label, subject.metric.unit)
    in_unit(axes.xaxis, column)
    axes.set_xlabel(column.heading, color=INK)
    axes.grid(axis="y", visible=False)
    return figure


def _draw_row(axes: "Axes", place: int, subject: ReportSubject, setting: Setting) -> None:
    look = subject.looks[setting.key]
    summary = subject.summary(setting)
    if summary is None or summary.mean is None:
        return
    if summary.low is not None and summary.high is not None:
        # What holds of one classifier is no interval of its recipe.
        line = "-" if summary.n > 1 else (0, (1, 0.8))
        ends = [summary.low, summary.high]
        axes.plot(ends, [place, place], color=look.colour, linewidth=2.4, linestyle=line, zorder=3, alpha=0.9)
    if summary.n > 1:
        axes.plot(summary.values, [place + 0.22] * summary.n, ".", color=SOFT, markersize=4.5, zorder=2)
    axes.plot(summary.mean, place, color=look.colour, **{**DOT, "marker": look.marker})


def _name_rows(axes: "Axes", settings: Sequence[Setting], subject: ReportSubject) -> None:
    """Beside the rows; names that are too long for that above them."""
    names = [subject.names[setting.key] for setting in settings]
    axes.set_ylim(len(settings) - 0.4, -0.8 if subject.has_keys else -0.6)
    if subject.has_keys:
        axes.set_yticks([])
        common: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "color": INK, "zorder": 6}
        labels = [axes.text(0, place - 0.4, short_label(name, _LONGEST), **common) for place, name in enumerate(names)]
        for label in labels:
            haloed(label)
    else:
        axes.set_yticks(range(len(settings)), names)
        labels = axes.get_yticklabels()
    for setting, label in zip(settings, labels, strict=True):
        if subject.baseline is not None and setting.key == subject.baseline.key:
            label.set_fontstyle("italic")
