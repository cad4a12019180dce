"""Ensembles: beside their members, and what was found out about them."""

from collections.abc import Iterable
from functools import partial

from cnnlab.ensembles import EnsembleRecord
from cnnlab.ensembles.analysis import Analysis
from cnnlab.reports.contents import ensembles as contents
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import Table, capital, with_unit
from cnnlab.reports.figures import ensembles as figures
from cnnlab.reports.sections.base import Section, SectionFigure, section
from cnnlab.runs import Run


@section(75)
def ensembles(subject: ReportSubject) -> Iterable[Section]:
    """One for each ensemble."""
    for run, record, analysis in contents.analysed_ensembles(subject):
        yield _section(subject, run, record, analysis)


def _section(subject: ReportSubject, run: Run, record: EnsembleRecord, analysis: Analysis) -> Section:
    members = contents.members_table(run, record, analysis)
    tables: list[Table] = []
    if analysis.gains:
        tables.append(contents.gains_table(run, analysis))
    if analysis.left_out:
        tables.append(contents.left_out_table(run, analysis))
    if analysis.calibrated:
        tables.append(contents.calibration_table(run, analysis))
    drawn = [_members_figure(run, analysis, members)]
    if len(analysis.sizes) > 1:
        drawn.append(_sizes_figure(run, analysis))
    if analysis.diversity is not None:
        drawn.append(_diversity_figure(run, analysis))
    notes = " ".join(f"{capital(text)}." for text in record.notes)
    fitted_on = next((gain.split for gain in analysis.gains if not gain.is_held_out), "validation")
    fitted = f"; what was fitted was fitted on {fitted_on}" if analysis.gains else ""
    against = "" if analysis.against is None else f"Against {analysis.against.why}: {analysis.against.sentence}"
    others = " Those of the other repeats are shown by cnnlab runs show." if subject.is_study else ""
    text = " ".join(filter(None, (f"Made by {record.method}{fitted}.{others}", against, notes)))
    return Section(f"ensemble {run.name}", f"The ensemble {run.name}", text, tuple(tables), tuple(drawn))


def _members_figure(run: Run, analysis: Analysis, table: Table) -> SectionFigure:
    kind = contents.unit(analysis)
    metric = f"{analysis.split} {analysis.metric.replace('_', ' ')}"
    whole = with_unit(analysis.ensemble.scores.get(analysis.split), kind)
    scores = [score for one in analysis.members if (score := one.scores.get(analysis.split)) is not None]
    ends = f", its members from {with_unit(min(scores), kind)} to {with_unit(max(scores), kind)}" if scores else ""
    bars = "; bars are 95% intervals of each classifier over pictures" if analysis.ensemble.intervals else ""
    caption = f"The ensemble on top{bars}."
    alt = f"{capital(metric)} of the ensemble is {whole}{ends}."
    return SectionFigure(
        f"ensemble {run.name}", "Beside its members", caption, alt, table, partial(figures.draw_members, analysis)
    )


def _sizes_figure(run: Run, analysis: Analysis) -> SectionFigure:
    kind, first, last = contents.unit(analysis), analysis.sizes[0], analysis.sizes[-1]
    alt = (
        f"The mean of members goes from {with_unit(first.mean, kind)} with {first.size} to "
        f"{with_unit(last.mean, kind)} with {last.size}."
    )
    caption = "Equal weights; the band holds 90% of the choices of members. Dashed: the ensemble itself."
    table = contents.sizes_table(run, analysis)
    return SectionFigure(
        f"ensemble sizes {run.name}", "By number of members", caption, alt, table, partial(figures.draw_sizes, analysis)
    )


def _diversity_figure(run: Run, analysis: Analysis) -> SectionFigure:
    assert analysis.diversity is not None
    means = analysis.diversity.means
    known = [
        f"{contents.MEASURES[name]} {f'{value:.2%}' if name in ('disagreement', 'double_fault') else f'{value:.3f}'}"
        for name, value in means.items()
        if value is not None
    ]
    caption = f"Means over all pairs on {analysis.diversity.split}: {', '.join(known)}."
    alt = f"How the mistakes of members differ, pair by pair. {caption}"
    table = contents.diversity_table(run, analysis)
    return SectionFigure(
        f"ensemble diversity {run.name}", "Diversity", caption, alt, table, partial(figures.draw_diversity, analysis)
    )
