"""What each factor does by itself, and what two of them do together."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import numpy.typing as npt

from cnnlab.evaluation import mean_interval
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import IntervalEnds, Table, TableColumn, ends_of, listed
from cnnlab.studies.result import Axis, Setting

_MOST_MAPS = 3
_WIDE = 20
"""From this ratio on, numbers above 0 are put on a logarithmic scale."""


@dataclass(frozen=True)
class FactorLevel:
    """One value of a factor.

    :param x: the value where it is a number.
    :param values: by seed, the mean over the settings that have this value.
    :param interval: 95%, by Student's t over the seeds; None under two of them.
    """

    label: str
    x: float | None
    values: Mapping[int, float]
    mean: float
    interval: IntervalEnds | None
    settings: int


@dataclass(frozen=True)
class Effect:
    """How the metric depends on one factor.

    :param how: over what the other factors' values the means are taken, in words; empty where there is no other factor.
    :param is_fair: whether every level has the same values of the other factors behind it; otherwise differences
        between levels may be those of another factor.
    """

    axis: str
    levels: tuple[FactorLevel, ...]
    how: str
    is_fair: bool
    scale: str = "words"

    @property
    def span(self) -> float:
        """From the lowest mean to the highest."""
        means = [level.mean for level in self.levels]
        return max(means) - min(means)


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Means of the metric over two factors.

    :param cells: a row a value of ``rows``, a column a value of ``columns``; NaN where nothing was measured.
    """

    rows: str
    columns: str
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    cells: npt.NDArray[np.float64]
    how: str = field(default="")


def effects(subject: ReportSubject) -> tuple[Effect, ...]:
    """Of every factor with two values or more that were measured, the one that moves the metric most first."""
    measured = (_effect(subject, axis) for axis in subject.result.axes)
    return tuple(sorted((effect for effect in measured if effect is not None), key=lambda effect: -effect.span))


def heat_maps(subject: ReportSubject) -> tuple[HeatMap, ...]:
    """Of the pairs of factors of which all or most combinations were measured, the first few."""
    maps = (_heat_map(subject, first, second) for first, second in combinations(subject.result.axes, 2))
    return tuple(heat_map for heat_map in maps if heat_map is not None)[:_MOST_MAPS]


def effects_table(subject: ReportSubject, effect: Effect) -> Table:
    """A row a value of the factor."""
    metric = subject.metric
    columns = (
        TableColumn(effect.axis, effect.axis),
        TableColumn("mean", metric.label, metric.unit),
        TableColumn("interval", "95% interval over seeds", metric.unit),
        TableColumn("seeds", "seeds", "count"),
        TableColumn("settings", "settings", "count"),
    )
    rows = tuple(
        (level.label, level.mean, level.interval, len(level.values), level.settings) for level in effect.levels
    )
    return Table(f"effect {effect.axis}", f"Effect of {effect.axis}", columns, rows, note=effect.how).without_empty()


def heat_map_table(subject: ReportSubject, heat_map: HeatMap) -> Table:
    """The cells, a row a value of the first factor."""
    kind = subject.metric.unit
    first = TableColumn(heat_map.rows, f"{heat_map.rows} \\ {heat_map.columns}")
    columns = (first, *(TableColumn(label, label, kind) for label in heat_map.column_labels))
    rows = tuple((label, *map(float, cells)) for label, cells in zip(heat_map.row_labels, heat_map.cells, strict=True))
    return Table(
        f"heat map {heat_map.rows} {heat_map.columns}", f"{heat_map.rows} and {heat_map.columns}", columns, rows
    )


def _effect(subject: ReportSubject, axis: Axis) -> Effect | None:
    by_level = {value.label: _measured(subject, axis.name, value.label) for value in axis.values}
    by_level = {label: settings for label, settings in by_level.items() if settings}
    if len(by_level) < 2:
        return None
    # An ensemble has no value of any other axis, nor has any other setting one of its.
    known = {name for settings in by_level.values() for setting in settings for name in setting.values}
    others = [o.name for o in subject.result.axes if o.name != axis.name and len(o.values) > 1 and o.name in known]
    contexts = [{_context(setting, others) for setting in settings} for settings in by_level.values()]
    shared = set.intersection(*contexts)
    is_fair = bool(shared)
    chosen = {
        label: [s for s in settings if not is_fair or _context(s, others) in shared]
        for label, settings in by_level.items()
    }
    numbers = {value.label: _as_number(value.value, value.label) for value in axis.values}
    levels = tuple(_level(subject, label, numbers[label], settings) for label, settings in chosen.items())
    return Effect(axis.name, levels, _how(others, shared, contexts, is_fair), is_fair, _scale(levels))


def _measured(subject: ReportSubject, axis: str, label: str) -> list[Setting]:
    settings = (setting for setting in subject.result.settings if setting.values.get(axis) == label)
    return [setting for setting in settings if subject.mean(setting) is not None]


def _context(setting: Setting, others: Iterable[str]) -> tuple[str, ...]:
    return tuple(setting.values.get(name, "") for name in others)


def _how(
    others: Sequence[str], shared: set[tuple[str, ...]], contexts: Sequence[set[tuple[str, ...]]], fair: bool
) -> str:
    if not others:
        return ""
    if not fair:
        return (
            f"Means over all settings with this value. Their {listed(others)} differ as well, so part of a difference "
            "may be theirs."
        )
    if len(shared) == 1:
        values = next(iter(shared))
        return f"With {listed([f'{name} = {value}' for name, value in zip(others, values, strict=True)])}."
    same = "the same" if all(context == shared for context in contexts) else f"the {len(shared)} common"
    return f"Means over {same} combinations of {listed(others)} for every value, seed by seed."


def _level(subject: ReportSubject, label: str, x: float | None, settings: Sequence[Setting]) -> FactorLevel:
    by_seed: dict[int, list[float]] = {}
    for setting in settings:
        summary = subject.summary(setting)
        for seed, value in zip(summary.seeds, summary.values, strict=True) if summary else ():
            by_seed.setdefault(seed, []).append(value)
    # A seed counts where every setting has it: otherwise its mean would be over other settings.
    whole = {seed: values for seed, values in by_seed.items() if len(values) == len(settings)} or by_seed
    means = {seed: float(np.mean(values)) for seed, values in whole.items()}
    interval_of_mean = mean_interval(means.values(), within=(0, 1) if subject.metric.unit == "share" else None)
    return FactorLevel(label, x, means, float(np.mean(list(means.values()))), ends_of(interval_of_mean), len(settings))


def _scale(levels: Sequence[FactorLevel]) -> str:
    numbers = [level.x for level in levels]
    known = [x for x in numbers if x is not None]
    if len(known) < len(numbers) or len(set(known)) < 3:
        return "words"
    return "logarithmic" if min(known) > 0 and max(known) / min(known) >= _WIDE else "linear"


def _as_number(value: object, label: str) -> float | None:
    for candidate in (value, label):
        if isinstance(candidate, bool):
            return None
        try:
            number = float(candidate)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        return number if math.isfinite(number) else None
    return None


def _heat_map(subject: ReportSubject, first: Axis, second: Axis) -> HeatMap | None:
    others = [axis.name for axis in subject.result.axes if axis not in (first, second) and len(axis.values) > 1]
    rows = [value.label for value in first.values if _measured(subject, first.name, value.label)]
    columns = [value.label for value in second.values if _measured(subject, second.name, value.label)]
    if len(rows) < 2 or len(columns) < 2:
        return None
    cells: dict[tuple[str, str], list[Setting]] = {}
    for setting in subject.ranked:
        if first.name not in setting.values or second.name not in setting.values:
            continue
        place = setting.values[first.name], setting.values[second.name]
        cells.setdefault(place, []).append(setting)
    contexts = [{_context(setting, others) for setting in settings} for settings in cells.values()]
    # Half a table of holes, as a search leaves, says nothing; nor do cells behind which lie different things.
    if 2 * len(cells) <= len(rows) * len(columns) or any(context != contexts[0] for context in contexts):
        return None
    table = np.array([[_cell(subject, cells.get((row, column), [])) for column in columns] for row in rows])
    how = f"Means over {listed(others)}." if others else ""
    return HeatMap(first.name, second.name, tuple(rows), tuple(columns), table, how)


def _cell(subject: ReportSubject, settings: Sequence[Setting]) -> float:
    means = [mean for setting in settings if (mean := subject.mean(setting)) is not None]
    return float(np.mean(means)) if means else math.nan
