"""The numbers that a study reads off a finished run, by the names that metrics and claims use.

=============================== ==================================================================================
``test_accuracy``               any metric of a split: ``train_…``, ``validation_…``, ``test_…``, losses too
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.objectives import Objective, metrics
from cnnlab.runs import Run
from cnnlab.studies.result import Metric, UnitName

_SPLITS = ("train", "validation", "test")
_CLASSES = re.compile(r"(recall|precision|f1) of (?:'([^']*)'|\"([^\"]*)\"|(\S+))(?: on (train|validation|test))?")
_LEVEL = re.compile(r"(epochs|seconds) to (\d*\.?\d+(?:e-?\d+)?)\s*(%?)\s*(\w+)")
_GAP = re.compile(r"(?:the )?(?:train-validation )?gap(?: in (\w+))?")
_PLAIN: dict[str, tuple[str, UnitName, str]] = {
    "seconds": ("training time", "seconds", "lower"),
    "epochs": ("epochs trained", "epochs", "lower"),
    "images_per_second": ("images per second", "images/s", "higher"),
}


@dataclass(frozen=True)
class Measure:
    """One such number.

    :param kind: ``score``, ``gap``, ``class``, ``level`` or ``fact``.
    :param parts: what the kind needs to know.
    """

    metric: Metric
    kind: str
    parts: tuple[Any, ...]

    def of(self, folder: Path, info: Mapping[str, Any]) -> float | None:
        """Its value for the finished run in a folder, whose ``run.json`` is known.

        None where the run has none, such as a level never reached.
        """
        value = _READERS[self.kind](folder, info, *self.parts)
        return float(value) if value is not None and math.isfinite(value) else None


def read_measure(text: str, objective: Objective, splits: Sequence[str]) -> Measure:
    """The measure of this name, for trials with this objective and these splits.

    :raises UsageError: naming the closest that there are.
    """
    words = " ".join(text.split())
    if words in _PLAIN:
        label, unit, better = _PLAIN[words]
        return Measure(Metric(words, label, unit, better), "fact", (words,))  # type: ignore[arg-type]
    for pattern, build in ((_CLASSES, _of_class), (_LEVEL, _of_level), (_GAP, _of_gap)):
        match = pattern.fullmatch(words)
        if match is not None:
            return build(match, objective, splits)
    known = score_names(objective, splits)
    if words not in known:
        hint = suggestion(words, [*known, *_PLAIN, "gap"])
        raise UsageError(f"there is no metric {text!r} here. {hint}")
    return _of_split(words, objective)


def score_names(objective: Objective, splits: Sequence[str]) -> list[str]:
    """The metrics of the splits there are."""
    tallied = ("loss", *objective.tallied)
    return [f"{s}_{name}" for s in splits for name in (tallied if s == "train" else objective.measured)]


def available(objective: Objective, splits: Sequence[str]) -> list[Measure]:
    """What every finished run has: its scores, the gap, time and speed."""
    names = score_names(objective, splits)
    has_gap = {f"train_{objective.select}", f"validation_{objective.select}"} <= set(names)
    return [read_measure(name, objective, splits) for name in (*names, *(["gap"] if has_gap else []), *_PLAIN)]


def _of_split(name: str, objective: Objective) -> Measure:
    split, _, inner = name.partition("_")
    metric = Metric(name, name.replace("_", " "), metrics.unit(inner), objective.better(inner))
    return Measure(metric, "score", (split, inner))


def _of_gap(match: re.Match[str], objective: Objective, splits: Sequence[str]) -> Measure:
    inner = match.group(1) or (objective.select if objective.select in objective.tallied else "loss")
    known = score_names(objective, splits)
    if f"train_{inner}" not in known or f"validation_{inner}" not in known:
        raise UsageError(f"there is no gap in {inner} here: it is not measured on both train and validation.")
    name = "gap" if match.group(1) is None else f"gap in {inner}"
    label = f"train-validation gap in {inner}"
    return Measure(Metric(name, label, metrics.unit(inner), "lower"), "gap", (inner, objective.better(inner)))


def _of_class(match: re.Match[str], objective: Objective, splits: Sequence[str]) -> Measure:
    what, wanted, split = match.group(1), match.group(2) or match.group(3) or match.group(4), match.group(5) or "test"
    names = getattr(objective, "names", None)
    if names is None:
        raise UsageError(f"{what} of a class: this objective has no single column of classes.")
    if wanted not in names:
        raise UsageError(f"{match.group(0)}: there is no class {wanted!r}. {suggestion(wanted, names)}")
    if split not in splits:
        raise UsageError(f"{match.group(0)}: the data has no {split} split with targets.")
    name = f"{what} of '{wanted}'{'' if split == 'test' else f' on {split}'}"
    return Measure(Metric(name, name, "share", "higher"), "class", (what, tuple(names).index(wanted), split))


def _of_level(match: re.Match[str], objective: Objective, splits: Sequence[str]) -> Measure:
    unit, number, percent, metric = match.groups()
    inner = metric.partition("_")[2]
    followed = [name for name in score_names(objective, splits) if not name.startswith("test_")]
    if metric not in followed:
        raise UsageError(f"{match.group(0)}: {metric} is not followed epoch by epoch. {suggestion(metric, followed)}")
    level = float(number) / (100 if percent else 1)
    if metrics.unit(inner) == "share" and not 0 <= level <= 1:
        raise UsageError(f"{match.group(0)}: {metric} goes from 0% to 100%, so it never comes to {number}{percent}.")
    name = f"{unit} to {level:g} {metric}"
    known: UnitName = "epochs" if unit == "epochs" else "seconds"
    return Measure(Metric(name, name.replace("_", " "), known, "lower"), "level", (unit, level, metric, inner))


def _score(folder: Path, info: Mapping[str, Any], split: str, inner: str) -> float | None:
    score: float | None = ((info.get("scores") or {}).get(split) or {}).get(inner)
    return score


def _gap(folder: Path, info: Mapping[str, Any], inner: str, better: str) -> float | None:
    train, held_out = (_score(folder, info, split, inner) for split in ("train", "validation"))
    if train is None or held_out is None:
        return None
    return train - held_out if better == "higher" else held_out - train


def _class_share(folder: Path, info: Mapping[str, Any], what: str, place: int, split: str) -> float | None:
    from cnnlab.evaluation import confusion

    counts = confusion(Run(folder).predictions(split)).counts
    right, support, predicted = counts[place, place], counts[place].sum(), counts[:, place].sum()
    below = {"recall": support, "precision": predicted, "f1": (support + predicted) / 2}[what]
    return float(right / below) if below else None


def _level(folder: Path, info: Mapping[str, Any], unit: str, level: float, metric: str, inner: str) -> float | None:
    history = Run(folder).history
    if metric not in history:
        return None
    is_low = metrics.better(metric) == "lower"
    reached = history[metric] <= level if is_low else history[metric] >= level
    if not reached.any():
        return None
    first = int(reached.to_numpy().argmax())
    return float(first + 1) if unit == "epochs" else float(history["seconds"][: first + 1].sum())


def _fact(folder: Path, info: Mapping[str, Any], name: str) -> float | None:
    if name == "seconds":
        return float(info.get("seconds") or 0.0)
    if name == "epochs":
        return float(info.get("epochs_done") or 0)
    images = ((info.get("data") or {}).get("sizes") or {}).get("train")
    seconds, epochs = info.get("seconds"), info.get("epochs_done")
    return images * epochs / seconds if images and seconds and epochs else None


_READERS: dict[str, Any] = {
    "score": _score,
    "gap": _gap,
    "class": _class_share,
    "level": _level,
    "fact": _fact,
}
