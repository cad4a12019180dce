"""Learning curves: means over repeats with the band they span, and the gap from train to validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import UsageError
from cnnlab.core.metric_names import better, unit
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import ColumnKind, IntervalEnds, Table, TableColumn
from cnnlab.runs import Run

SPLITS = ("train", "validation")
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Band:
    """One metric on one split over the repeats of a setting, an entry an epoch.

    :param n: how many repeats got so far.
    :param low: the lowest of the repeats, ``high`` the highest; where all of them are finite.
    """

    epochs: npt.NDArray[np.int64]
    mean: Array
    low: Array
    high: Array
    n: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Gap:
    """How far train is ahead of validation, each repeat at the epoch whose weights it kept: means over the repeats.

    :param epoch: the median of these epochs; ``first`` and ``last`` of them.
    :param size: positive where train is the better; what settings are compared by under the name of gap.
    """

    epoch: int
    first: int
    last: int
    train: float
    validation: float
    size: float

    @property
    def where(self) -> str:
        """At which epochs, in words."""
        return f"at epoch {self.epoch}" if self.first == self.last else f"at epochs {self.first} to {self.last}"


@dataclass(frozen=True)
class PhaseStart:
    """Where a phase of the trainings begins.

    :param epoch: its first; ``number`` counts phases from 1.
    :param trains: the parts of the network that it trains, as its recipe says.
    """

    number: int
    epoch: int
    trains: str


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """The curves of one setting, or of one run.

    :param bands: by metric, such as ``accuracy``, then by split.
    :param gaps: by metric, where both splits were measured.
    :param selected: the epoch whose weights were kept, the median over the repeats.
    :param phases: where there are several that all repeats have at the same epochs.
    """

    key: str
    label: str
    bands: Mapping[str, Mapping[str, Band]]
    gaps: Mapping[str, Gap]
    selected: int | None = None
    phases: tuple[PhaseStart, ...] = ()

    @property
    def epochs(self) -> int:
        """How many epochs the longest of them has."""
        return max(len(band.epochs) for bands in self.bands.values() for band in bands.values())

    @property
    def repeats(self) -> int:
        """How many trainings they are the mean of."""
        return max(int(band.n.max()) for bands in self.bands.values() for band in bands.values())

    @property
    def said_of_phases(self) -> str:
        """A sentence on where phases begin; empty where there is one."""
        parts = [f"{phase.number} from epoch {phase.epoch} on, which trains {phase.trains}" for phase in self.phases]
        return f"Dotted lines part the phases: {'; '.join(parts)}." if parts else ""

    def phase_of(self, epoch: int) -> int | None:
        """The number of the phase that an epoch is of; None where there is one."""
        return next((phase.number for phase in reversed(self.phases) if phase.epoch <= epoch), None)


@dataclass(frozen=True)
class CurveMetric:
    """A metric that is followed epoch by epoch."""

    name: str
    label: str
    kind: ColumnKind
    higher_is_better: bool


def followed(subject: ReportSubject) -> tuple[CurveMetric, ...]:
    """The metric judged by, where it is followed at all, and the loss."""
    judged = subject.metric
    inner = judged.name.partition("_")[2] if judged.name.partition("_")[0] in (*SPLITS, "test") else ""
    own = [CurveMetric(inner, inner.replace("_", " "), judged.unit, judged.better == "higher")] if inner else []
    return (*own, *([] if inner == "loss" else [CurveMetric("loss", "loss", "loss", False)]))


def learning_curves(run: Run, label: str | None = None) -> LearningCurves:
    """Of every metric that a run was followed by, the one judged by first and the loss last.

    :param label: what the run is called in figures.
    :raises UsageError: before the first epoch's end.
    """
    metrics = run_metrics(run)
    curves = _curves_of(run.name, label or run.name, [run], metrics)
    if curves is None:
        raise UsageError(f"{run.name} has no epoch behind it yet, so it has no learning curves.")
    return curves


def run_metrics(run: Run) -> tuple[CurveMetric, ...]:
    """Those measured on train, and the one that the run was judged by: this first, the loss last."""
    columns = list(run.history.columns)
    judged = str((run.info.get("selected") or {}).get("metric") or "").partition("_")[2]
    names = [name.removeprefix("train_") for name in columns if name.startswith("train_")]
    names += [judged] if judged not in names and f"validation_{judged}" in columns else []
    ordered = sorted(names, key=lambda name: (name == "loss", name != judged))
    return tuple(CurveMetric(name, name.replace("_", " "), unit(name), better(name) == "higher") for name in ordered)


def setting_curves(subject: ReportSubject) -> tuple[LearningCurves, ...]:
    """Of the settings shown, those that have runs with epochs behind them."""
    metrics = followed(subject)
    curves = (
        _curves_of(setting.key, subject.label(setting.key), [run for _, run in subject.runs_of(setting)], metrics)
        for setting in subject.shown
    )
    return tuple(curve for curve in curves if curve is not None)


def curves_table(curves: Sequence[LearningCurves], metrics: Sequence[CurveMetric]) -> Table:
    """A row a setting: where the curves end, and the gap."""
    kinds = {metric.name: metric for metric in metrics}
    columns: list[TableColumn] = [TableColumn("setting", "setting"), TableColumn("epochs", "epochs", "epochs")]
    for name in kinds:
        label, kind = kinds[name].label, kinds[name].kind
        columns += [TableColumn(f"{split}_{name}", f"last {split} {label}", kind) for split in SPLITS]
        columns += [
            TableColumn(f"gap_{name}", f"gap in {label}", kind, True),
            TableColumn(f"gap_{name}_epoch", "at epoch", "count"),
            TableColumn(f"gap_{name}_epochs", "from epoch to epoch", "count"),
        ]
    rows = []
    for curve in curves:
        row: list[object] = [curve.label, _last_epoch(curve)]
        for name in kinds:
            bands, gap = curve.bands.get(name, {}), curve.gaps.get(name)
            row += [float(bands[split].mean[-1]) if split in bands else None for split in SPLITS]
            row += [gap.size if gap else None, *_gap_epochs(gap)]
        rows.append(tuple(row))
    keys = tuple(curve.key for curve in curves)
    note = "A gap is at the epoch whose weights were kept."
    if any(curve.repeats > 1 for curve in curves):
        note = "Means over the repeats. A gap is the mean of theirs, each at the epoch whose weights it kept."
    return Table("curves", "Learning curves", tuple(columns), tuple(rows), keys, note).without_empty()


def _gap_epochs(gap: Gap | None) -> tuple[int | None, IntervalEnds | None]:
    """The one epoch of a gap, or the first and the last."""
    if gap is None:
        return None, None
    return (gap.first, None) if gap.first == gap.last else (None, IntervalEnds(gap.first, gap.last))


def points_table(curves: Sequence[LearningCurves]) -> Table:
    """A row a setting, epoch, metric and split: everything that is drawn."""
    columns = (
        *(TableColumn(name, name) for name in ("setting", "metric", "split")),
        *(TableColumn(name, name, "count") for name in ("phase", "epoch", "n")),
        *(TableColumn(name, name, "number") for name in ("mean", "low", "high")),
    )
    rows = tuple(
        (
            *(curve.label, metric, split, curve.phase_of(int(band.epochs[i])), int(band.epochs[i]), int(band.n[i])),
            *map(float, values),
        )
        for curve in curves
        for metric, bands in curve.bands.items()
        for split, band in bands.items()
        for i, values in enumerate(zip(band.mean, band.low, band.high, strict=True))
    )
    return Table("curve points", "Points of the learning curves", columns, rows).without_empty()


def _curves_of(key: str, label: str, runs: Sequence[Run], metrics: Sequence[CurveMetric]) -> LearningCurves | None:
    histories = [_history(run) for run in runs]
    bands: dict[str, dict[str, Band]] = {}
    for metric in metrics:
        columns = {split: [h.get(f"{split}_{metric.name}") for h in histories] for split in SPLITS}
        by_split = {split: band for split, parts in columns.items() if (band := _band(histories, parts)) is not None}
        if by_split:
            bands[metric.name] = by_split
    if not bands:
        return None
    gaps = {m.name: gap for m in metrics if (gap := _gap(runs, histories, m)) is not None}
    selected = _median([epoch for run in runs if (epoch := _kept(run)) is not None])
    return LearningCurves(key, label, bands, gaps, selected, _phases(runs, histories))


def _phases(runs: Sequence[Run], histories: Sequence[Mapping[str, Array]]) -> tuple[PhaseStart, ...]:
    """Where the phases begin that the runs have in common; none where they differ, or there is one."""
    found = set()
    for run, history in zip(runs, histories, strict=True):
        numbers, recipe = history.get("phase"), run.recipe
        if numbers is None:
            return ()
        own = recipe.get("phases") or ()
        starts = [
            PhaseStart(int(number), int(history["epoch"][numbers == number].min()), _trains(recipe, own, int(number)))
            for number in np.unique(numbers)
        ]
        found.add(tuple(starts))
    # One that has come further has more of them.
    longest = max(found, key=len, default=())
    return longest if all(longest[: len(starts)] == starts for starts in found) else ()


def _trains(recipe: Mapping[str, Any], phases: Sequence[Mapping[str, Any]], number: int) -> str:
    own = phases[number - 1] if number <= len(phases) else {}
    named = own.get("train") or recipe.get("train")
    return str(named or "all")


def _history(run: Run) -> dict[str, Array]:
    table = run.history
    return {str(name): table[name].to_numpy(dtype=float) for name in table.columns if table[name].dtype.kind in "if"}


def _band(histories: Sequence[Mapping[str, Array]], parts: Sequence[Array | None]) -> Band | None:
    known = [(h["epoch"].astype(int), part) for h, part in zip(histories, parts, strict=True) if part is not None]
    known = [(epochs, part) for epochs, part in known if len(epochs)]
    if not known:
        return None
    epochs = np.unique(np.concatenate([epochs for epochs, _ in known]))
    table = np.full((len(known), len(epochs)), np.nan)
    for row, (own, values) in enumerate(known):
        table[row, np.searchsorted(epochs, own)] = values
    counts = np.isfinite(table).sum(axis=0)
    filled = counts > 0
    table, epochs, counts = table[:, filled], epochs[filled], counts[filled]
    if not len(epochs):
        return None
    table = np.where(np.isfinite(table), table, np.nan)
    return Band(epochs, np.nanmean(table, axis=0), np.nanmin(table, axis=0), np.nanmax(table, axis=0), counts)


def _kept(run: Run) -> int | None:
    """The epoch whose weights were kept."""
    epoch = (run.info.get("selected") or {}).get("epoch")
    return None if epoch is None else int(epoch)


def _median(epochs: Sequence[int]) -> int | None:
    """The lower one of two."""
    return sorted(epochs)[(len(epochs) - 1) // 2] if epochs else None


def _gap(runs: Sequence[Run], histories: Sequence[Mapping[str, Array]], metric: CurveMetric) -> Gap | None:
    """Over the repeats that are finished, which are those that tables count; over all where none is."""
    done = [run.status == "finished" for run in runs]
    places = [
        place
        for run, history, counts in zip(runs, histories, done, strict=True)
        if (counts or not any(done)) and (place := _place(_kept(run), history, metric)) is not None
    ]
    if not places:
        return None
    epochs = [epoch for epoch, _, _ in places]
    train, validation = (float(np.mean([place[part] for place in places])) for part in (1, 2))
    size = train - validation if metric.higher_is_better else validation - train
    return Gap(_median(epochs) or 0, min(epochs), max(epochs), train, validation, size)


def _place(kept: int | None, history: Mapping[str, Array], metric: CurveMetric) -> tuple[int, float, float] | None:
    """The epoch whose weights a run kept, or the last that was measured on both splits, and the metric on each."""
    both = [history.get(f"{split}_{metric.name}") for split in SPLITS]
    if any(values is None for values in both):
        return None
    measured = np.isfinite(np.array(both)).all(axis=0)
    epochs = history["epoch"].astype(int)
    if not measured.any():
        return None
    epoch = kept if kept is not None and kept in epochs[measured] else int(epochs[measured][-1])
    place = int(np.flatnonzero(epochs == epoch)[0])
    return epoch, float(both[0][place]), float(both[1][place])  # type: ignore[index]


def _last_epoch(curve: LearningCurves) -> int:
    return max(int(band.epochs[-1]) for bands in curve.bands.values() for band in bands.values())
