"""Transfers: every classifier on the features of every backbone, as papers have it, and what was chosen."""

from collections.abc import Iterable
from functools import partial

from cnnlab.reports.contents import transfers as contents
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import Table, capital, with_unit
from cnnlab.reports.figures import transfers as figures
from cnnlab.reports.sections.base import Section, SectionFigure, section
from cnnlab.runs import Run
from cnnlab.transfer import TransferResult
from cnnlab.transfer.record import METRICS


@section(5)
def transfers(subject: ReportSubject) -> Iterable[Section]:
    """Three for each transfer: the classifiers, which was chosen, and what features they were fitted to."""
    found = list(contents.transfers(subject))
    for run, result in found:
        of = f" of {run.name}" if len(found) > 1 else ""
        yield _scores_section(run, result, of)
        yield _chosen_section(run, result, of)
        yield Section(f"features {run.name}", f"The features{of}", tables=(contents.features_table(run, result),))


def _scores_section(run: Run, result: TransferResult, of: str) -> Section:
    metrics = [result.record.metric, *(name for name in METRICS if name != result.record.metric)]
    scores = [contents.scores_table(run, result, metric) for metric in metrics]
    tried = [contents.found_table(run, result), contents.searched_table(run, result)]
    tables = (*scores, contents.times_table(run, result), *(table for table in tried if table is not None))
    drawn = _scores_figure(run, result, scores[0])
    return Section(f"transfer {run.name}", f"The classifiers{of}", tables=tables, figures=(drawn,))


def _scores_figure(run: Run, result: TransferResult, table: Table) -> SectionFigure:
    record, metric = result.record, contents.metric_words(result.record.metric)
    labels = [column.label for column in record.columns]
    means = {cell for row in table.rows for cell in row[1:] if isinstance(cell, float)}
    alt = (
        f"{capital(metric)} on validation of {len(table.rows)} classifiers, from {with_unit(min(means), 'share')} to "
        f"{with_unit(max(means), 'share')}; the best is {result.label(record.best)}."
    )
    several = len(record.choices) > 1
    caption = f"Dot: mean of {len(record.choices)} repeats; bar: 95% interval." if several else ""
    draw = partial(figures.draw_scores, table, labels, metric)
    return SectionFigure(f"transfer {run.name}", f"{capital(metric)} on validation", caption, alt, table, draw)


def _chosen_section(run: Run, result: TransferResult, of: str) -> Section:
    chosen, others = contents.chosen_table(run, result), contents.differences_table(run, result)
    tables = (chosen, *([others] if others.rows else []))
    return Section(f"chosen {run.name}", f"What was chosen{of}", result.caution, tables)
