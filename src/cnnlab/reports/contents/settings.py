"""The tables of a study: its settings, comparisons, claims, published numbers, trials, and what is missing."""

from collections.abc import Callable, Iterable
from typing import Any

from cnnlab.core.measurements import Metric
from cnnlab.core.scored_splits import OUT_OF_FOLD, read_score_name, score_name
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import (
    IntervalEnds,
    Table,
    TableColumn,
    capital,
    interval_cells,
    interval_columns,
    new_images_column,
)
from cnnlab.studies.result import Family, MetricSummary, Published, Setting, SettingComparison
from cnnlab.studies.statistics.tables import difference_unit
from cnnlab.studies.statistics.wording import named

_MOST_FURTHER = 4
BOTH_SOURCES = (
    "Over repeats: these recipes on these pictures. On new pictures: these recipes on new pictures like these, whose "
    "choice adds its own chance."
)


def settings_table(subject: ReportSubject) -> Table:
    """A row a setting: its values, repeats, the metric judged by with its interval, further metrics, verdict, cost.

    Trials without numbers are named: those that failed, those that a search stopped early, and those to come.
    """
    result, names = subject.result, _names(subject)
    further = further_metrics(subject)
    weights = _same_weights(subject)
    judged = subject.metric
    published = published_values(subject)
    columns = (
        *(column for column, _ in names),
        TableColumn("n", "repeats", "count"),
        TableColumn("left out", "left out"),
        TableColumn(judged.name, judged.label, judged.unit),
        *interval_columns(f"{judged.name} interval", judged.unit),
        new_images_column(f"{judged.name} new", judged.unit),
        TableColumn(f"{judged.name} std", "SD", judged.unit),
        TableColumn("difference", "difference", judged.unit, True),
        TableColumn("verdict", "verdict"),
        TableColumn("published", "published", judged.unit),
        *(_further_column(metric) for metric in further),
        TableColumn("parameters", "parameters", "count"),
    )
    rows = tuple(
        (
            *(name(setting) for _, name in names),
            len(setting.finished),
            named(trial for trial in setting.trials if trial.status != "finished") or None,
            *_judged(subject.summary(setting)),
            *_verdict_cells(subject, setting),
            published.get(setting.key),
            *(subject.mean(setting, metric.name) for metric in further),
            None if weights else setting.parameters,
        )
        for setting in result.settings
    )
    keys = tuple(setting.key for setting in result.settings)
    return Table("settings", "Settings", columns, rows, keys, f"{_interval_note(subject)}{weights}").without_empty()


def further_metrics(subject: ReportSubject) -> tuple[Metric, ...]:
    """The metrics shown beside the one judged by: the same one of validation, the gap, time, and those asked for."""
    metrics = subject.result.metrics
    _, inner = read_score_name(subject.metric.name)
    wanted = [*(score_name(split, inner) for split in (OUT_OF_FOLD, "validation", "test")), "gap", "seconds"]
    further = [metric for metric in metrics[1:] if metric.name in wanted]
    others = [m for m in metrics[1:] if " " in m.name and m not in further]
    return tuple([*others, *further][: _MOST_FURTHER + len(others)])


def comparisons_table(subject: ReportSubject, family: Family) -> Table:
    """A row a comparison, with its simultaneous interval and its verdict."""
    metric = next(
        (comparison for comparison in subject.result.metrics if comparison.name == family.metric), subject.metric
    )
    columns = (
        TableColumn("setting", "setting"),
        TableColumn("reference", "compared with"),
        TableColumn("difference", "difference", metric.unit, True),
        *interval_columns("interval", metric.unit, is_change=True),
        new_images_column("interval new", metric.unit, is_change=True),
        TableColumn("p", "p", "p"),
        TableColumn("verdict", "verdict"),
        TableColumn("needed seen", "more repeats to see this difference", "count"),
        TableColumn("needed smallest", _smallest_heading(family, metric), "count"),
        TableColumn("remark", "remark"),
    )
    rows = tuple(
        (
            *(
                subject.label(comparison.setting),
                subject.label(comparison.reference),
                comparison.difference,
                *interval_cells(_range(comparison), is_of_one=comparison.is_of_single_runs),
                _ends(comparison.new_low, comparison.new_high),
                comparison.p,
            ),
            verdict_words(comparison),
            *(_needed(comparison, what) for what in ("seen", "smallest")),
            "; ".join(part for part in (comparison.details, comparison.why) if part) or None,
        )
        for comparison in family.comparisons
    )
    both = [BOTH_SOURCES] if any(comparison.new_low is not None for comparison in family.comparisons) else []
    note = " ".join([f"{capital(family.method)}:", family.why, *both, *family.cautions])
    title = f"Comparisons: {metric.label}"
    return Table(f"comparisons {family.metric}", title, columns, rows, note=note).without_empty()


def claims_table(subject: ReportSubject) -> Table:
    """A row a claim, with its verdict and why."""
    columns = (TableColumn("claim", "claim"), TableColumn("verdict", "verdict"), TableColumn("why", "why"))
    rows = tuple((claim.text, claim.verdict, claim.why) for claim in subject.result.claims)
    return Table("claims", "Claims", columns, rows)


def published_table(subject: ReportSubject, published: Published) -> Table:
    """Published numbers beside the measured ones."""
    metric = next(
        (candidate for candidate in subject.result.metrics if candidate.name == published.metric), subject.metric
    )
    columns = (
        TableColumn("of", "of"),
        TableColumn("published", "published", metric.unit),
        TableColumn("measured", "measured", metric.unit),
        TableColumn("difference", "difference", metric.unit, True),
        interval_columns("interval", metric.unit, is_change=True)[0],
        TableColumn("word", "verdict"),
        TableColumn("remark", "remark"),
    )
    rows = tuple(
        (row.label, row.value, row.measured, row.difference, _range(row), row.word, row.reason)
        for row in published.rows
    )
    title = f"Published: {metric.label}, {published.source}"
    return Table(f"published {published.metric}", title, columns, rows).without_empty()


def missing_table(subject: ReportSubject) -> Table:
    """Trials without numbers, each with the reason; those that a search stopped early among them."""
    columns = (
        *(TableColumn("setting", "setting"), TableColumn("seed", "seed", "number")),
        *(TableColumn("status", "status"), TableColumn("reason", "reason")),
    )
    rows = tuple(
        (subject.label(setting.key), trial.seed, trial.status, trial.reason)
        for setting in subject.result.all_settings
        for trial in setting.trials
        if trial.status != "finished"
    )
    return Table("missing", "What is missing", columns, rows).without_empty()


def trials_table(subject: ReportSubject) -> Table:
    """A row a trial with all its metrics: what the other tables were worked out from."""
    metrics = subject.result.metrics
    columns = (
        *(TableColumn(name, name) for name in ("key", "setting")),
        TableColumn("seed", "seed", "number"),
        *(TableColumn(name, name) for name in ("status", "run", "digest")),
        *(TableColumn(metric.name, metric.label, metric.unit) for metric in metrics),
        TableColumn("epochs trained", "epochs", "epochs"),
        TableColumn("training seconds", "training", "seconds"),
        TableColumn("reason", "reason"),
    )
    rows = tuple(
        (
            *(setting.key, setting.label, trial.seed, trial.status, trial.run, trial.digest),
            *(trial.metrics.get(metric.name) for metric in metrics),
            *(trial.epochs, trial.seconds, trial.reason),
        )
        for setting in subject.result.all_settings
        for trial in setting.trials
    )
    return Table("trials", "Trials", columns, rows)


def verdict_words(comparison: SettingComparison) -> str:
    """A verdict as a person reads it."""
    if comparison.verdict == "differ":
        return "differ on these pictures"
    if comparison.verdict != "undecided" or comparison.why:
        return f"{comparison.verdict}{' on these pictures' if comparison.is_for_these_images else ''}"
    return f"not enough {'pictures' if comparison.is_of_single_runs else 'repeats'} to tell"


def _needed(comparison: SettingComparison, what: str) -> int | None:
    return next((one.more for one in comparison.needed if one.what == what), None)


def _smallest_heading(family: Family, metric: Metric) -> str:
    sizes = {one.difference for comparison in family.comparisons for one in comparison.needed if one.what == "smallest"}
    return f"more repeats to see {difference_unit(metric).text(max(sizes))}" if sizes else ""


def _names(subject: ReportSubject) -> tuple[tuple[TableColumn, Callable[[Setting], str]], ...]:
    """What a setting is called: its key where figures go by it, its run where that is its name, its values."""
    axes = subject.result.axes
    keys = ((TableColumn("key", "key"), lambda setting: setting.key),) if subject.has_keys else ()
    whole = TableColumn("setting", "run" if subject.is_called_by_runs else axes[0].name if axes else "setting")
    if len(axes) < 2 and not subject.is_called_by_runs:
        return (*keys, (whole, lambda setting: setting.label))
    runs = ((whole, lambda setting: setting.label),) if subject.is_called_by_runs else ()
    return (*keys, *runs, *((TableColumn(axis.name, axis.name), _value_of(axis.name)) for axis in axes))


def _value_of(axis: str) -> Callable[[Setting], str]:
    return lambda setting: setting.values.get(axis, "")


def _further_column(metric: Metric) -> TableColumn:
    is_gap = metric.name.startswith("gap")
    heading = f"train-validation {metric.name}" if is_gap else metric.label
    return TableColumn(metric.name, heading, metric.unit, is_gap)


def _same_weights(subject: ReportSubject) -> str:
    """How many parameters the networks have, where all have as many: a column of one number says little."""
    counts = {setting.parameters for setting in subject.result.settings if setting.parameters is not None}
    if len(counts) != 1 or len(subject.result.settings) < 2:
        return ""
    return f" Every network has {counts.pop():,} parameters."


def _judged(summary: MetricSummary | None) -> tuple[Any, ...]:
    if summary is None:
        return (None,) * 5
    cells = interval_cells(_ends(summary.low, summary.high), is_of_one=summary.n == 1)
    return summary.mean, *cells, _ends(summary.new_low, summary.new_high), summary.std


def _range(comparison: Any) -> IntervalEnds | None:
    return _ends(comparison.low, comparison.high)


def _ends(low: float | None, high: float | None) -> IntervalEnds | None:
    return None if low is None or high is None else IntervalEnds(low, high)


def _interval_note(subject: ReportSubject) -> str:
    """Which interval it is, where all settings have the same kind; else each kind with its count."""
    kinds = [
        summary.interval for s in subject.result.settings if (summary := subject.summary(s)) and summary.low is not None
    ]
    if not kinds:
        return ""
    reference = _reference(subject)
    has_spread = any((summary := subject.summary(s)) and summary.std is not None for s in subject.result.settings)
    spread = " SD: standard deviation between repeats." if has_spread else ""
    against = f" Differences and verdicts: against {reference}." if reference else ""
    has_new = any((summary := subject.summary(s)) and summary.new_low is not None for s in subject.result.settings)
    new = f" {BOTH_SOURCES}" if has_new else ""
    return f"95% intervals: {'; '.join(dict.fromkeys(kinds))}.{new}{spread}{against}"


def _family(subject: ReportSubject) -> Family | None:
    families = (family for family in subject.result.families if family.metric == subject.metric.name)
    return next((family for family in families if family.kind == "baseline"), None)


def _reference(subject: ReportSubject) -> str:
    family = _family(subject)
    return subject.label(family.comparisons[0].reference) if family and family.comparisons else ""


def _verdict_cells(subject: ReportSubject, setting: Setting) -> tuple[Any, Any]:
    family = _family(subject)
    if family is None or not family.comparisons:
        return None, None
    if setting.key == family.comparisons[0].reference:
        return None, "reference"
    comparison = next((candidate for candidate in family.comparisons if candidate.setting == setting.key), None)
    return (comparison.difference, verdict_words(comparison)) if comparison else (None, None)


def published_values(subject: ReportSubject) -> dict[str, float]:
    """Published numbers of the metric judged by, by the setting they belong to."""
    tables: Iterable[Published] = (table for table in subject.result.published if table.metric == subject.metric.name)
    return {row.setting: row.value for table in tables for row in table.rows if row.setting is not None}
