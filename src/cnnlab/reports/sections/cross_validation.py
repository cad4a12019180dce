"""Recipes that were trained with folds: the score on pictures that the networks had not seen."""

from collections.abc import Iterable
from functools import partial

from cnnlab.core import metric_names
from cnnlab.ensembles.cross_validation import CrossValidation
from cnnlab.reports.contents import cross_validation as contents
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import Table, capital, with_unit
from cnnlab.reports.figures import cross_validation as figures
from cnnlab.reports.sections.base import Section, SectionFigure, section
from cnnlab.runs import Run


@section(74)
def cross_validation(subject: ReportSubject) -> Iterable[Section]:
    """One for each recipe that was trained with folds."""
    for run, found in contents.cross_validations(subject):
        folds, scores = contents.folds_table(run, found), contents.scores_table(run, found)
        drawn = (_figure(run, found, folds),) if found.judged is not None else ()
        tables = (scores,) if scores.rows else ()
        text = f"{found.sentence} {found.how_chosen}"
        title = f"Cross-validation of {run.name}"
        yield Section(f"cross-validation {run.name}", title, text, (folds, *tables), drawn)


def _figure(run: Run, found: CrossValidation, table: Table) -> SectionFigure:
    assert found.judged is not None
    kind, metric = metric_names.unit(found.metric), found.metric.replace("_", " ")
    folds = found.judged.folds
    alt = (
        f"{capital(metric)} of {len(folds)} folds goes from {with_unit(min(folds), kind)} to "
        f"{with_unit(max(folds), kind)}; cross-validated it is {with_unit(found.judged.value, kind)}."
    )
    caption = "A dot a fold; the line is the cross-validated score, the band its 95% interval."
    return SectionFigure(f"folds {run.name}", "Fold by fold", caption, alt, table, partial(figures.draw_folds, found))
