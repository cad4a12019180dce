"""Ensembles of a study drawn beside their members, repeat by repeat."""

from typing import TYPE_CHECKING

from cnnlab.reports.colours import COLOURS, GREY, INK
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import TableColumn
from cnnlab.reports.figures.style import DOT, in_unit, sheet
from cnnlab.studies.result import EnsembleSummary

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_repeats(subject: ReportSubject, summary: EnsembleSummary) -> "Figure":
    """A column a repeat: a grey dot a member, the best on validation ringed, and a square for the ensemble."""
    figure, (axes,) = sheet(3.2)
    metric, seeds = subject.metric, subject.result.seeds
    places = {seed: place for place, seed in enumerate(seeds)}
    members = [subject.result.setting(key) for key in summary.members]
    ringed = [] if summary.best is None else [summary.best]
    whole = subject.result.setting(summary.setting)
    looks = [(members, {**DOT, "color": GREY}), (ringed, {"marker": "o", "color": INK, "mfc": "none", "ms": 12})]
    for settings, look in [*looks, ([whole], {**DOT, "marker": "s", "color": COLOURS[1]})]:
        for setting in settings:
            for trial in setting.finished:
                value = trial.metrics.get(metric.name)
                if value is not None:
                    axes.plot(places[trial.seed], value, linestyle="none", **look)
    axes.set_xticks(range(len(seeds)), [str(seed) for seed in seeds])
    axes.set_xlim(-0.5, len(seeds) - 0.5)
    axes.set_xlabel("repeat, by its seed", color=INK)
    axes.grid(axis="x", visible=False)
    column = TableColumn("", metric.label, metric.unit)
    in_unit(axes.yaxis, column)
    axes.set_title(column.heading, loc="left", color=INK, pad=5)
    return figure
