"""Published numbers beside measured ones: reproduced, better, worse, or not comparable and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnlab import data, evaluation
from cnnlab.core.errors import CnnlabError, UsageError, suggestion
from cnnlab.core.measurements import Measure, Metric
from cnnlab.core.messages import warn
from cnnlab.studies.result import Published, PublishedRow, Word
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.statistics.tables import Tables, bounds, difference_unit, ends
from cnnlab.studies.statistics.wording import named
from cnnlab.studies.study_file import ROW_KEYS, PublishedTable, TableRow

if TYPE_CHECKING:
    from cnnlab.evaluation import ReferenceComparison


@dataclass(frozen=True)
class ResolvedRow:
    """One published number with the setting that it is of, where the study has that.

    :param n: repeats that it is over, where that is published; of one it is taken to scatter as ours do.
    :param std: its standard deviation over them, where it is published too.
    """

    label: str
    value: float
    setting: str | None
    note: str | None
    std: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class ResolvedTable:
    """A published table with what it names."""

    source: str
    metric: Metric
    rows: tuple[ResolvedRow, ...]
    reason: str | None
    tolerance: float | None


def resolve_table(
    table: PublishedTable, study_settings: StudySettings, measure: Callable[[str | None], Measure]
) -> ResolvedTable:
    """Finds the settings and the metric of a published table.

    :raises UsageError: for a row that names no axis of the study or has no value.
    """
    try:
        metric = measure(table.metric).metric
    except UsageError as error:
        raise UsageError(f"published: {error}") from error
    rows = tuple(_row(row, table, study_settings, metric) for row in table.rows)
    _refuse_twice(rows, study_settings)
    _warn_of_slips(table, rows, study_settings)
    return ResolvedTable(table.source, metric, rows, _reason(table, study_settings), table.tolerance)


def compare_published(table: ResolvedTable, tables: Tables) -> Published:
    """The published numbers with the measured ones."""
    return Published(table.source, table.metric.name, tuple(_compared(row, table, tables) for row in table.rows))


def _row(row: TableRow, table: PublishedTable, study_settings: StudySettings, metric: Metric) -> ResolvedRow:
    if not row.axes:
        raise UsageError(f"published: a row names a setting by its axes: {', '.join(study_settings.names)}.")
    for axis in row.axes:
        if axis not in study_settings.names:
            hint = suggestion(axis, [*study_settings.names, *ROW_KEYS])
            raise UsageError(f"published: a row names {axis!r}, which is no axis of this study. {hint}")
    shown, n = row.label or ", ".join(f"{axis}={value}" for axis, value in row.axes.items()), row.n or table.n
    _check_value(row.value, shown, metric)
    try:
        settings = study_settings.select(row.axes, "published")
    except UsageError:
        return ResolvedRow(shown, row.value, None, row.note, row.std, n)
    if len(settings) > 1:
        raise UsageError(f"published: {shown} fits {len(settings)} settings of this study; name all its axes.")
    return ResolvedRow(row.label or settings[0].label, row.value, settings[0].key, row.note, row.std, n)


def _check_value(value: float, label: str, metric: Metric) -> None:
    low, high = bounds(metric) or (value, value)
    if not low <= value <= high:
        hint = f"; write {value:g}% if that is meant" if high < value <= 100 else f", which {value:g} is not"
        raise UsageError(f"published: {label}: {metric.name} is a share from {low:g} to {high:g}{hint}.")


def _refuse_twice(rows: Sequence[ResolvedRow], study_settings: StudySettings) -> None:
    keys = [row.setting for row in rows if row.setting is not None]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        label = next(setting.label for setting in study_settings.settings if setting.key == twice)
        raise UsageError(
            f"published: two rows of one table are of the setting {label}. Leave one of them out, or make a table of "
            "its own for it, with its source."
        )


def _warn_of_slips(table: PublishedTable, rows: Sequence[ResolvedRow], study_settings: StudySettings) -> None:
    """Says which rows are of no setting where that may be a slip; a table may well have more rows than a study."""
    near = [
        f"{axis}={value} (did you mean {label}?)"
        for row, resolved in zip(table.rows, rows, strict=True)
        if resolved.setting is None
        for axis, value in row.axes.items()
        if (label := study_settings.slip_of(axis, value)) is not None
    ]
    if near:
        warn(f"published: no setting of this study is compared with the rows of {', '.join(near)}.")


def _reason(table: PublishedTable, study_settings: StudySettings) -> str | None:
    if table.not_comparable:
        return table.not_comparable
    if table.data is None:
        return None
    ours = {setting.recipe.data for setting in study_settings.settings}
    try:
        theirs = data.canonical_data(table.data)
    except CnnlabError:
        theirs = table.data
    shown = ", ".join(sorted(text.partition("(")[0] for text in ours))
    return None if theirs in ours else f"another data set: {table.data} there, {shown} here"


def _compared(row: ResolvedRow, table: ResolvedTable, tables: Tables) -> PublishedRow:
    if row.setting is None:
        lacking = "this study has no such setting"
        return PublishedRow(row.label, row.value, None, None, None, None, None, "not measured", lacking)
    values = list(tables.values[table.metric.name][row.setting].values())
    comparison, how = _against(row, table, tables, values)
    word, reason = _word(comparison, table, len(values))
    if row.n == 1 and word == "compatible" and comparison.interval is not None:
        half = difference_unit(table.metric).text((comparison.interval.high - comparison.interval.low) / 2)
        reason, how = f"one more training like these would lie within {half} of them in 95% of cases", None
    failed = tables.failed(row.setting)
    if failed and word in ("better", "reproduced", "compatible"):
        word, reason = "undecided", "what is left may look better than it is"
    total = len(tables.trials.get(row.setting, ()))
    failures = f"{len(failed)} of {total} repeats failed ({named(failed)})" if failed else None
    how = None if word == "not comparable" else how
    remark = "; ".join(part for part in (reason, failures, how, row.note) if part) or None
    # The interval of a single run is about this one classifier, and a published number about a recipe.
    low, high = ends(comparison.interval) if len(values) > 1 else (None, None)
    return PublishedRow(
        row.label, row.value, row.setting, comparison.mean, comparison.difference, low, high, word, remark
    )


def _against(
    row: ResolvedRow, table: ResolvedTable, tables: Tables, values: Sequence[float]
) -> tuple["ReferenceComparison", str | None]:
    """The measured values beside a published one, and how where that is not as a number taken as exact."""
    metric = table.metric
    unit = difference_unit(metric)
    asked: dict[str, Any] = {
        "higher_is_better": metric.better == "higher",
        "unit": unit,
        "tolerance": table.tolerance,
        "step": tables.step(metric),
        "within": bounds(metric),
    }
    if row.n == 1 and len(values) > 1:
        comparison = evaluation.compare_to_number(values, row.value, single=True, **asked)
        return comparison, "theirs is one training, taken to scatter as these do"
    if not row.std or row.n is None or len(values) < 2:
        return evaluation.compare_to_number(values, row.value, **asked), None
    comparison = evaluation.compare_to_mean(values, row.value, row.std, row.n, **asked)
    return comparison, f"by Student's t of both sides, theirs with the SD of {unit.text(row.std)} over {row.n} repeats"


def _word(comparison: "ReferenceComparison", table: ResolvedTable, repeats: int) -> tuple[Word, str | None]:
    if comparison.mean is None:
        return "not measured", "no trial of this setting is finished"
    if table.reason is not None:
        return "not comparable", table.reason
    if repeats < 2:
        return "undecided", "one training tells nothing of how trainings differ"
    interval, unit = comparison.interval, difference_unit(table.metric)
    if interval is None:
        return "undecided", "repeats that all agree tell nothing of the spread"
    if comparison.verdict in ("better", "worse"):
        return comparison.verdict, None
    half = unit.text((interval.high - interval.low) / 2)
    if comparison.verdict == "reproduced" and table.tolerance is not None:
        return "reproduced", f"within {unit.text(table.tolerance)}"
    short = f"too few repeats to say more, the interval is {half} wide either way"
    if table.tolerance is None:
        return "compatible", f"{short}; with a tolerance it could be reproduced"
    return "compatible", f"{short} and not within the tolerance of {unit.text(table.tolerance)}"
