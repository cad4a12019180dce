"""Published numbers beside measured ones: reproduced, better, worse, or not comparable and why."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnlab import data, evaluation
from cnnlab.core.errors import CnnlabError, UsageError, suggestion
from cnnlab.studies.layout import Layout
from cnnlab.studies.measures import Measure
from cnnlab.studies.result import Metric, Published, PublishedRow, Word
from cnnlab.studies.study_file import PublishedTable
from cnnlab.studies.tables import Tables, ends, unit_of

if TYPE_CHECKING:
    from cnnlab.evaluation import AgainstNumber

_WIDE_SHARE, _WIDE = 0.02, 0.1
"""Half an interval, in points of a share or else as a share of the number, beyond which it could hold anything."""
_FACTS = ("value", "label", "note", "sd", "n")


@dataclass(frozen=True)
class TiedRow:
    """One published number with the setting that it is of, where the study has that."""

    label: str
    value: float
    setting: str | None
    note: str | None


@dataclass(frozen=True)
class TiedTable:
    """A published table with what it names."""

    source: str
    metric: Metric
    rows: tuple[TiedRow, ...]
    reason: str | None
    tolerance: float | None


def tie_table(table: PublishedTable, layout: Layout, measure: Callable[[str | None], Measure]) -> TiedTable:
    """Finds the settings and the metric of a published table.

    :raises UsageError: for a row that names no axis of the study or has no value.
    """
    try:
        metric = measure(table.metric).metric
    except UsageError as error:
        raise UsageError(f"published: {error}") from error
    rows = tuple(_row(dict(row), layout, metric) for row in table.rows)
    return TiedTable(table.source, metric, rows, _reason(table, layout), table.tolerance)


def beside(table: TiedTable, tables: Tables) -> Published:
    """The published numbers with the measured ones."""
    return Published(table.source, table.metric.name, tuple(_compared(row, table, tables) for row in table.rows))


def _row(row: dict[str, Any], layout: Layout, metric: Metric) -> TiedRow:
    facts = {key: row.pop(key) for key in _FACTS if key in row}
    if not row:
        raise UsageError(f"published: a row names a setting by its axes: {', '.join(layout.names)}.")
    for axis in row:
        if axis not in layout.names:
            hint = suggestion(str(axis), [*layout.names, *_FACTS])
            raise UsageError(f"published: a row names {axis!r}, which is no axis of this study. {hint}")
    shown = facts.get("label") or ", ".join(f"{axis}={value}" for axis, value in row.items())
    value = _value(facts.get("value"), str(shown), metric)
    try:
        found = layout.select(row, "published")
    except UsageError:
        return TiedRow(str(shown), value, None, facts.get("note"))
    if len(found) > 1:
        raise UsageError(f"published: {shown} fits {len(found)} settings of this study; name all its axes.")
    return TiedRow(str(facts.get("label") or found[0].label), value, found[0].key, facts.get("note"))


def _value(value: Any, label: str, metric: Metric) -> float:
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip().rstrip("%")) / 100
        except ValueError:
            pass
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise UsageError(f"published: {label} needs a value, a number such as 0.72 or 72%; got {value!r}.")
    if metric.unit == "share" and not 0 <= value <= 1:
        raise UsageError(f"published: {metric.name} is a share from 0 to 1; write {value}% if that is meant.")
    return float(value)


def _reason(table: PublishedTable, layout: Layout) -> str | None:
    if table.not_comparable:
        return table.not_comparable
    if table.data is None:
        return None
    ours = {setting.recipe.data for setting in layout.settings}
    try:
        theirs = data.canonical(table.data)
    except CnnlabError:
        theirs = table.data
    shown = ", ".join(sorted(text.partition("(")[0] for text in ours))
    return None if theirs in ours else f"another data set: {table.data} there, {shown} here"


def _compared(row: TiedRow, table: TiedTable, tables: Tables) -> PublishedRow:
    if row.setting is None:
        lacking = "this study has no such setting"
        return PublishedRow(row.label, row.value, None, None, None, None, None, "not measured", lacking)
    metric = table.metric
    found = evaluation.against_number(
        tables.values[metric.name][row.setting].values(),
        row.value,
        higher_is_better=metric.better == "higher",
        unit=unit_of(metric),
        tolerance=table.tolerance,
        n=tables.pictures.get(metric.name),
    )
    word, reason = _word(found, table)
    remark = "; ".join(part for part in (reason, row.note) if part) or None
    low, high = ends(found.interval)
    return PublishedRow(row.label, row.value, row.setting, found.mean, found.difference, low, high, word, remark)


def _word(found: "AgainstNumber", table: TiedTable) -> tuple[Word, str | None]:
    if found.mean is None:
        return "not measured", "no trial of this setting is finished"
    if table.reason is not None:
        return "not comparable", table.reason
    if found.verdict == "untested":
        return "not comparable", "a single repeat tells nothing of the spread"
    if found.verdict == "undecided":
        return "not comparable", "too few repeats: the interval is wider than the tolerance"
    if found.verdict == "reproduced" and table.tolerance is None and found.interval is not None:
        half = (found.interval.high - found.interval.low) / 2
        widest = _WIDE_SHARE if table.metric.unit == "share" else _WIDE * abs(found.number)
        if half > widest:
            unit = unit_of(table.metric)
            return "not comparable", f"too few repeats: the interval is {unit.text(half)} wide either way"
    return found.verdict, None
