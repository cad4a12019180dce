"""The numbers that a study reads off a finished run, by the names that metrics and claims use.

=============================== ==================================================================================
``test_accuracy``               any metric of a split: ``train_…``, ``validation_…``, ``test_…``, losses too; of
                                recipes with folds ``out_of_fold_…``, the cross-validated score
``gap``                         train accuracy minus validation accuracy, at the epoch whose weights were kept; or
                                ``gap in loss``
``recall of 'cat'``             also ``precision of`` and ``f1 of``; on the test split, or ``… on validation``
``epochs to 0.9 validation_accuracy``  the first epoch that reached it; likewise ``seconds to …``
``seconds``                     spent training
``epochs``                      trained
``images_per_second``           over all epochs
=============================== ==================================================================================
"""

import math
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from cnnlab.core import metric_names
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.measurements import (
    WORD,
    Direction,
    Measure,
    MeasuredRuns,
    Measurement,
    Metric,
    UnitName,
    measurement,
)
from cnnlab.core.scored_splits import read_score_name
from cnnlab.runs import Run
from cnnlab.runs.run_info import RunInfo

_PLAIN: dict[str, tuple[str, UnitName, Direction]] = {
    "seconds": ("training time", "seconds", "lower"),
    "epochs": ("epochs trained", "epochs", "lower"),
    "images_per_second": ("images per second", "images/s", "higher"),
}


@measurement
class ScoreMeasurement(Measurement):
    """A metric of a split, as it was scored at the end."""

    pattern = WORD

    def read(self, name: str, runs: MeasuredRuns) -> Measure | None:
        """By the scores on record."""
        if name not in runs.score_names:
            return None
        split, inner = read_score_name(name)
        metric = Metric(name, name.replace("_", " "), metric_names.unit(inner), runs.better(inner))
        return Measure(metric, partial(score, split=split, metric=inner))

    def usual(self, runs: MeasuredRuns) -> Sequence[str]:
        """All of them."""
        return runs.score_names


@measurement
class GapMeasurement(Measurement):
    """How far train is ahead of validation."""

    pattern = r"(?:the )?(?:train-validation )?gap\b(?: in (\w+))?"

    def read(self, name: str, runs: MeasuredRuns) -> Measure:
        """By the scores, of the metric that the runs are judged by unless one is named."""
        (given,) = _parts(self.pattern, name)
        inner = given or (runs.judged_by if runs.judged_by in runs.scores.get("train", ()) else "loss")
        if not _has_gap(runs, inner):
            raise UsageError(f"there is no gap in {inner} here: it is not measured on both train and validation.")
        label = f"train-validation gap in {inner}"
        metric = Metric("gap" if given is None else f"gap in {inner}", label, metric_names.unit(inner), "lower")
        return Measure(metric, partial(gap, metric=inner, better=runs.better(inner)))

    def usual(self, runs: MeasuredRuns) -> Sequence[str]:
        """In the metric judged by, where both are measured."""
        return ["gap"] if _has_gap(runs, runs.judged_by) else []


@measurement
class CostMeasurement(Measurement):
    """What the training took."""

    pattern = WORD

    def read(self, name: str, runs: MeasuredRuns) -> Measure | None:
        """By the run's own record."""
        return Measure(Metric(name, *_PLAIN[name]), partial(cost, what=name)) if name in _PLAIN else None

    def usual(self, runs: MeasuredRuns) -> Sequence[str]:
        """Time, epochs and speed."""
        return list(_PLAIN)


@measurement
class ClassShareMeasurement(Measurement):
    """Recall, precision and F1 of one class."""

    pattern = r"(recall|precision|f1) of (?:'([^']*)'|\"([^\"]*)\"|([^\s,]+))(?: on (train|validation|test)\b)?"

    def read(self, name: str, runs: MeasuredRuns) -> Measure:
        """By the stored predictions."""
        what, quoted, doubly, bare, split = _parts(self.pattern, name)
        wanted, split = next(word for word in (quoted, doubly, bare) if word is not None), split or "test"
        if runs.classes is None:
            raise UsageError(f"{what} of a class: this objective has no single column of classes.")
        if wanted not in runs.classes:
            raise UsageError(f"{name}: there is no class {wanted!r}. {suggestion(wanted, runs.classes)}")
        if split not in runs.scores:
            raise UsageError(f"{name}: the data has no {split} split with targets.")
        full = f"{what} of '{wanted}'{'' if split == 'test' else f' on {split}'}"
        place = runs.classes.index(wanted)
        return Measure(Metric(full, full, "share", "higher"), partial(class_share, what=what, place=place, split=split))


@measurement
class LevelMeasurement(Measurement):
    """How many epochs or seconds it takes until a metric comes to a level."""

    pattern = r"(epochs|seconds) to (\d*\.?\d+(?:e-?\d+)?)\s*(%?)\s*(\w+)"

    def read(self, name: str, runs: MeasuredRuns) -> Measure:
        """By the history."""
        unit, number, percent, metric = _parts(self.pattern, name)
        if metric not in runs.followed_names:
            hint = suggestion(metric, runs.followed_names)
            raise UsageError(f"{name}: {metric} is not followed epoch by epoch. {hint}")
        level, inner = float(number) / (100 if percent else 1), metric.partition("_")[2]
        if metric_names.unit(inner) == "share" and not 0 <= level <= 1:
            raise UsageError(f"{name}: {metric} goes from 0% to 100%, so it never comes to {number}{percent}.")
        full, known_unit = f"{unit} to {level:g} {metric}", _PLAIN[unit][1]
        taken = partial(time_to_level, unit=unit, level=level, metric=metric, better=runs.better(inner))
        return Measure(Metric(full, full.replace("_", " "), known_unit, "lower", is_level=True), taken)


def score(run: RunInfo, split: str, metric: str) -> float | None:
    """A metric of a split."""
    value = ((run.info.get("scores") or {}).get(split) or {}).get(metric)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def gap(run: RunInfo, metric: str, better: Direction) -> float | None:
    """By how much train is the better of the two."""
    train, held_out = (score(run, split, metric) for split in ("train", "validation"))
    if train is None or held_out is None:
        return None
    return train - held_out if better == "higher" else held_out - train


def class_share(run: RunInfo, what: str, place: int, split: str) -> float | None:
    """Recall, precision or F1 of the class at this place."""
    from cnnlab.evaluation.metrics.confusion_matrix import confusion

    counts = confusion(Run(run.folder).predictions(split)).counts
    right, support, predicted = counts[place, place], counts[place].sum(), counts[:, place].sum()
    below = {"recall": support, "precision": predicted, "f1": (support + predicted) / 2}[what]
    return float(right / below) if below else None


def time_to_level(run: RunInfo, unit: str, level: float, metric: str, better: Direction) -> float | None:
    """Epochs or seconds up to the end of the first epoch in which the metric came to the level."""
    history = Run(run.folder).history
    if metric not in history:
        return None
    reached = history[metric] <= level if better == "lower" else history[metric] >= level
    if not reached.any():
        return None
    first = int(reached.to_numpy().argmax())
    if unit == "epochs":
        return float(first + 1)
    phase = int(history["phase"][first]) if "phase" in history else 1
    frozen = sum(facts["seconds"] for number, facts in run.frozen_features.items() if facts and number <= phase)
    return float(history["seconds"][: first + 1].sum() + frozen)


def cost(run: RunInfo, what: str) -> float | None:
    """Seconds, epochs, or images per second; of what was not trained none, but for the seconds of folds."""
    if not run.is_trained:
        return run.seconds if what == "seconds" and run.recipe.get("folds") else None
    if what == "seconds":
        return run.seconds
    if what == "epochs":
        return float(run.epochs_done)
    images = ((run.info.get("data") or {}).get("sizes") or {}).get("train")
    return images * run.epochs_done / run.seconds if images and run.seconds and run.epochs_done else None


def _has_gap(runs: MeasuredRuns, inner: str) -> bool:
    return all(inner in runs.scores.get(split, ()) for split in ("train", "validation"))


def _parts(pattern: str, name: str) -> tuple[Any, ...]:
    match = re.fullmatch(pattern, name)
    assert match is not None
    return match.groups()
