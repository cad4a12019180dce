"""How a search went: what each setting that it tried came to, and the best so far."""

from dataclasses import dataclass

from cnnlab.core.measurements import Metric
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import ColumnKind, Table, TableColumn
from cnnlab.studies.search_record import SearchStep


@dataclass(frozen=True)
class TriedSetting:
    """One setting that was tried.

    :param best: the best value of whole trainings so far; None before the first.
    :param reason: why it has no value, where it failed.
    """

    number: int
    label: str
    value: float | None
    state: str
    epochs: int | None
    best: float | None
    reason: str | None = None


def search_metric(subject: ReportSubject) -> Metric | None:
    """The metric that led the search; None where there was none."""
    search = subject.result.search
    if search is None or not search.steps:
        return None
    known = (metric for metric in subject.result.metrics if metric.name == search.metric)
    label = search.metric.replace("_", " ")
    return next(known, Metric(search.metric, label, subject.metric.unit, subject.metric.better))


def search_steps(subject: ReportSubject) -> tuple[TriedSetting, ...]:
    """The steps in order."""
    metric, search = search_metric(subject), subject.result.search
    if metric is None or search is None:
        return ()
    known = {setting.key: subject.label(setting.key) for setting in subject.result.settings}
    reasons = {
        setting.key: "; ".join(dict.fromkeys(str(trial.reason) for trial in setting.trials if trial.status == "failed"))
        for setting in subject.result.settings
    }
    better = max if metric.better == "higher" else min
    best: float | None = None
    steps = []
    for tried in sorted(search.steps, key=_number):
        if tried.value is not None and tried.state == "complete":
            best = tried.value if best is None else better(best, tried.value)
        label = known.get(tried.setting, tried.setting)
        reason = reasons.get(tried.setting) if tried.state == "failed" else None
        steps.append(TriedSetting(tried.number, label, tried.value, tried.state, tried.epochs, best, reason))
    return tuple(steps)


def search_table(subject: ReportSubject) -> Table:
    """A row a step."""
    metric = search_metric(subject)
    kind: ColumnKind = metric.unit if metric else "number"
    label = metric.label if metric else ""
    columns = (
        *(TableColumn("number", "step", "count"), TableColumn("setting", "setting"), TableColumn("value", label, kind)),
        *(
            TableColumn("best", "best so far", kind),
            TableColumn("state", "state"),
            TableColumn("epochs", "stopped at epoch", "count"),
            TableColumn("reason", "reason"),
        ),
    )
    rows = tuple((s.number + 1, s.label, s.value, s.best, s.state, s.epochs, s.reason) for s in search_steps(subject))
    return Table("search", "How the search went", columns, rows).without_empty()


def _number(step: SearchStep) -> int:
    return step.number
