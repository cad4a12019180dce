"""The ensembles of a study beside their members."""

from collections.abc import Iterable
from functools import partial

from cnnlab.reports.contents import study_ensembles as contents
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import Table, capital, listed, with_unit
from cnnlab.reports.figures.study_ensembles import draw_repeats
from cnnlab.reports.sections.base import Section, SectionFigure, section
from cnnlab.studies.result import EnsembleSummary


@section(15)
def study_ensembles(subject: ReportSubject) -> Iterable[Section]:
    """One for each ensemble of which a repeat is made."""
    for summary in subject.result.ensembles:
        if subject.result.setting(summary.setting).finished:
            yield _section(subject, summary)


def _section(subject: ReportSubject, summary: EnsembleSummary) -> Section:
    ensemble = subject.result.setting(summary.setting)
    members = listed([subject.result.setting(key).label for key in summary.members])
    text = f"Made anew in every repeat by {ensemble.recipe['ensemble']}, of {members}; no two repeats share a training."
    if summary.best is not None:
        chosen_by = summary.chosen_by.replace("_", " ")
        text += f" Its best member is chosen in each repeat by {chosen_by}. {above_words(summary)}"
    text += f" {summary.comparison.sentence}" if summary.comparison is not None else ""
    table = contents.members_table(subject, summary)
    figure = _figure(subject, summary, contents.repeats_table(subject, summary))
    return Section(summary.setting, f"{ensemble.label} beside its members", text, (table,), (figure,))


def above_words(summary: EnsembleSummary) -> str:
    """In how many repeats the ensemble is above its best member."""
    if summary.above == summary.repeats:
        return f"The ensemble is above it in each of the {summary.repeats} repeats."
    return f"The ensemble is above it in {summary.above} of {summary.repeats} repeats, and not in each."


def _figure(subject: ReportSubject, summary: EnsembleSummary, table: Table) -> SectionFigure:
    metric, ensemble = subject.metric, subject.result.setting(summary.setting)
    found = ensemble.summary(metric.name)
    mean = "" if found is None else f", {with_unit(found.mean, metric.unit)} on average"
    ringed = " Ringed: the best of them on validation." if summary.best is not None else ""
    caption = f"Grey: its members.{ringed} Square: {ensemble.label}."
    alt = f"{capital(metric.label)} of {ensemble.label} in each repeat{mean}, among its members."
    key = f"repeats {summary.setting}"
    return SectionFigure(key, "In each repeat", caption, alt, table, partial(draw_repeats, subject, summary))
