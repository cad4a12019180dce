"""Which number judges an epoch, and whether the best epoch is kept."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from cnnlab.core.counterparts import hint, metrics
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import warn
from cnnlab.core.seeds import generator
from cnnlab.core.sinks import in_short
from cnnlab.data import Dataset
from cnnlab.objectives import Objective
from cnnlab.training.recipe import Recipe

_SAMPLE = 2048


@dataclass(frozen=True)
class SelectionMetric:
    """The column of the history by which epochs are judged.

    :param sign: what turns its values so that higher is better.
    :param picks: whether the weights of the best epoch are kept, not those of the last.
    """

    column: str
    sign: int
    picks: bool

    @classmethod
    def of(cls, recipe: Recipe, objective: Objective, dataset: Dataset) -> "SelectionMetric":
        """What ``select`` means: a metric of the validation split, ``train_…`` or ``validation_…``, or ``last``.

        :raises UsageError: when it is not measured, or is no number whatever is predicted.
        """
        has_validation = can_judge(dataset)
        usual = objective.select if has_validation else "loss"
        wanted = recipe.select or (usual if has_validation else "last")
        name = usual if wanted == "last" else wanted
        side = "validation" if has_validation or name == recipe.select else "train"
        metric = name if name.startswith(("train_", "validation_")) else f"{side}_{name}"
        _check(recipe, objective, metric, has_validation)
        if wanted != "last" or recipe.patience is not None:
            _check_defined(objective, dataset, metric)
        sign = 1 if objective.better(metric.partition("_")[2]) == "higher" else -1
        return cls(metric, sign, picks=wanted != "last")


class BestEpoch:
    """The epochs of a training as the metric judges them, and the best of them; the first of equals.

    All of it follows from the rows of the history, so a training that goes on reads them again.

    :param values: of the metric after each epoch, turned so that higher is better.
    :param epoch: the best so far; None before the first.
    """

    def __init__(self, metric: SelectionMetric) -> None:
        self.metric = metric
        self.values: list[float] = []
        self.epoch: int | None = None
        self._value = -math.inf

    def judge(self, row: Mapping[str, Any]) -> bool:
        """Takes in a row of the history; whether its epoch is the best so far."""
        value = self.metric.sign * row[self.metric.column]
        self.values.append(value)
        is_best = bool(value > self._value)
        if is_best:
            self.epoch, self._value = row["epoch"], value
        return is_best

    def warning(self, row: Mapping[str, Any]) -> str | None:
        """Warns, and gives back the text, where the metric is no number for the first time, in this row."""
        if not math.isnan(self.values[-1]) or any(map(math.isnan, self.values[:-1])):
            return None
        kept = "the last epoch" if self.epoch is None else f"epoch {self.epoch}, the best before,"
        text = (
            f"{self.metric.column} is not a number after epoch {row['epoch']}, which counts as no better than others."
            f"{f' If that stays so, {kept} is kept.' if self.metric.picks else ''} Take another metric with "
            "select=, or more pictures for validation."
        )
        warn(text)
        return text


def can_judge(dataset: Dataset) -> bool:
    """Whether there is a validation split that can be scored."""
    return dataset.validation is not None and bool(dataset.validation.targets)


def _check_defined(objective: Objective, dataset: Dataset, metric: str) -> None:
    """Refuses a metric that the validation split has not the pictures for, as an area under the curve of one class."""
    side, _, name = metric.partition("_")
    if side == "train" or dataset.validation is None:
        return
    count = len(dataset.validation)
    # Most often a part shows that it is a number, and is quick.
    for size in sorted({min(count, _SAMPLE), count}):
        outputs = torch.randn(size, sum(objective.heads.values()), generator=generator(0, "select"))
        targets = {column: values[:size] for column, values in dataset.validation.targets.items()}
        if not math.isnan(objective.metrics(outputs, targets).get(name, 0.0)):
            return
    other = "" if name == objective.select else f", such as select={objective.select}"
    raise UsageError(
        f"{metric} cannot judge epochs: on the {count:,} pictures of validation it is not a number, whatever is "
        f"predicted{' (it takes pictures of both classes)' if name.endswith('auc') else ''}. Take another metric"
        f"{other}, or another validation split."
    )


def _of_training(objective: Objective, metric: str) -> str:
    name = metric.removeprefix("validation_")
    return f"select=train_{name if name in objective.tallied else 'loss'}"


def _check(recipe: Recipe, objective: Objective, metric: str, has_validation: bool) -> None:
    measured = [f"train_{name}" for name in ("loss", *objective.tallied)]
    if has_validation:
        measured += [f"validation_{name}" for name in objective.measured]
    elif metric.startswith("validation_"):
        raise UsageError(
            f"select={in_short(str(recipe.select))} needs a validation split with targets, and there is none. "
            "Set pictures aside for it (validation=0.1), or go by the training pictures: "
            f"{_of_training(objective, metric)}."
        )
    if metric not in measured:
        given = str(recipe.select)
        told = hint(metric, measured, metrics(given, measured))
        raise UsageError(f"select={in_short(given)} is not measured. {told}")
