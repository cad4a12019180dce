"""The ensembles of a study beside their members, as tables."""

from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import IntervalEnds, Table, TableColumn
from cnnlab.studies.result import EnsembleSummary, Setting


def beside(subject: ReportSubject, summary: EnsembleSummary) -> tuple[Setting, ...]:
    """The members, the best of them by validation where it was chosen, and last the ensemble."""
    members = (subject.result.setting(key) for key in summary.members)
    best = () if summary.best is None else (summary.best,)
    return (*members, *best, subject.result.setting(summary.setting))


def members_table(subject: ReportSubject, summary: EnsembleSummary) -> Table:
    """A row a member and, last, the ensemble: mean, interval, SD, and the ratio of SDs."""
    metric = subject.metric
    columns = (
        TableColumn("member", "member"),
        TableColumn("n", "repeats", "count"),
        TableColumn(metric.name, metric.label, metric.unit),
        TableColumn("interval", "95% interval over repeats", metric.unit),
        TableColumn("std", "SD", metric.unit),
        TableColumn("ratio", "SD of the ensemble over this", "number"),
        TableColumn("ratio interval", "95% interval of that ratio", "number"),
        TableColumn("p", "p of equal spreads", "p"),
        TableColumn("remark", "remark"),
    )
    spreads = {spread.member: spread for spread in summary.spreads}
    rows = []
    for setting in beside(subject, summary):
        found, spread = setting.summary(metric.name), spreads.get(setting.key)
        low, high = (None, None) if found is None else (found.low, found.high)
        ends = None if low is None or high is None else IntervalEnds(low, high)
        known = spread is not None and spread.low is not None and spread.high is not None
        wide = IntervalEnds(spread.low or 0.0, spread.high or 0.0) if spread is not None and known else None
        rows.append(
            (
                setting.label,
                0 if found is None else found.n,
                *((None, None, None) if found is None else (found.mean, ends, found.std)),
                *((None, None, None, None) if spread is None else (spread.ratio, wide, spread.p, spread.why or None)),
            )
        )
    return Table(
        f"beside {summary.setting}", "Beside its members", columns, tuple(rows), note=summary.words
    ).without_empty()


def repeats_table(subject: ReportSubject, summary: EnsembleSummary) -> Table:
    """A row a member and, last, the ensemble; a column a repeat."""
    metric = subject.metric
    seeds = subject.result.seeds
    columns = (
        TableColumn("member", "member"),
        *(TableColumn(f"seed {seed}", f"repeat {seed}", metric.unit) for seed in seeds),
    )
    rows = []
    for setting in beside(subject, summary):
        by_seed = {trial.seed: trial.metrics.get(metric.name) for trial in setting.finished}
        rows.append((setting.label, *(by_seed.get(seed) for seed in seeds)))
    return Table(f"repeats {summary.setting}", f"{metric.label} in each repeat", columns, tuple(rows))
