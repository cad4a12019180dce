"""What recipes with folds came to, as tables."""

from collections.abc import Iterable

from cnnlab.core import metric_names
from cnnlab.core.errors import CnnlabError
from cnnlab.ensembles import read_record
from cnnlab.ensembles.cross_validation import CrossValidation
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import IntervalEnds, Table, TableColumn
from cnnlab.runs import Run


def cross_validations(subject: ReportSubject) -> Iterable[tuple[Run, CrossValidation]]:
    """Those of the report, with the runs that they are on record with."""
    for run in subject.runs.values():
        if not run.is_ensemble:
            continue
        try:
            found = read_record(run).cross_validation
        except CnnlabError:
            continue
        if found is not None:
            yield run, found


def folds_table(run: Run, found: CrossValidation) -> Table:
    """A row a fold."""
    metrics = list(dict.fromkeys(name for name in (found.metric, "loss") if name in found.scores))
    columns = (
        TableColumn("fold", "fold", "count"),
        TableColumn("trained", "trained on", "count"),
        TableColumn("held_out", "pictures", "count"),
        *(TableColumn(name, name.replace("_", " "), metric_names.unit(name)) for name in metrics),
    )
    rows = tuple(
        (number + 1, trained, held_out, *(found.scores[name].folds[number] for name in metrics))
        for number, (trained, held_out) in enumerate(zip(found.trained, found.held_out, strict=True))
    )
    note = "Each fold as the network tells it that was trained on the others."
    return Table(f"folds {run.name}", "Fold by fold", columns, rows, note=note)


def scores_table(run: Run, found: CrossValidation) -> Table:
    """A row a metric that is a share, with its interval; others are in the run's record."""
    columns = (
        TableColumn("metric", "metric"),
        TableColumn("score", "cross-validated", "share"),
        TableColumn("interval", "95% interval", "share"),
    )
    rows = tuple(
        (
            name.replace("_", " "),
            score.value,
            None if score.low is None or score.high is None else IntervalEnds(score.low, score.high),
        )
        for name, score in found.scores.items()
        if metric_names.unit(name) == "share"
    )
    note = "Intervals by Nadeau and Bengio (2003), over other trainings and other pictures."
    return Table(f"cross-validated {run.name}", "Cross-validated", columns, rows, note=note)
