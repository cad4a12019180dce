"""What most metrics are taken from: a probability of each class for each picture, and which class was right."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.runs import Predictions

Array: TypeAlias = npt.NDArray[np.float64]
Labels: TypeAlias = npt.NDArray[np.int64]
_SUM = 1e-3


@dataclass(frozen=True, eq=False)
class ClassPredictions:
    """Probabilities of K classes for N pictures, and the classes that were right.

    :param probabilities: N×K; each row sums to 1.
    :param labels: N whole numbers from 0 to K - 1.
    :param names: of the classes; their numbers unless given.
    :param decided: N, the classes predicted, where that is not simply the most probable one: an objective of several
        heads may decide for what fits together.
    :raises UsageError: when they do not fit together.
    """

    probabilities: Array
    labels: Labels
    names: Sequence[str] = field(default=())
    decided: Labels | None = None

    def __post_init__(self) -> None:
        arrange = object.__setattr__
        arrange(self, "probabilities", np.asarray(self.probabilities, dtype=np.float64))
        arrange(self, "labels", np.asarray(self.labels).astype(np.int64))
        if self.probabilities.ndim != 2 or self.labels.shape != self.probabilities.shape[:1]:
            raise UsageError("class predictions are N×K probabilities and N labels.")
        arrange(self, "names", tuple(self.names) or tuple(map(str, range(self.probabilities.shape[1]))))
        self._check()

    def _check(self) -> None:
        if not len(self):
            raise UsageError("there are no pictures to take a metric of.")
        if len(self.names) != self.probabilities.shape[1]:
            raise UsageError(f"{self.probabilities.shape[1]} classes cannot have {len(self.names)} names.")
        if self.labels.min() < 0 or self.labels.max() >= len(self.names):
            raise UsageError(f"labels are whole numbers from 0 to {len(self.names) - 1}.")
        sums = self.probabilities.sum(axis=1)
        if not (self.probabilities.min() >= 0 and np.abs(sums - 1).max() <= _SUM):
            raise UsageError("the probabilities of a picture are not negative and sum to 1; softmax makes logits such.")

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def predicted(self) -> Labels:
        """The class predicted for each picture: the most probable, the first of equals, unless decided otherwise."""
        chosen: Labels = self.probabilities.argmax(axis=1) if self.decided is None else np.asarray(self.decided)
        return chosen

    @cached_property
    def confidence(self) -> Array:
        """Its probability."""
        sure: Array = self.probabilities[np.arange(len(self)), self.predicted]
        return sure

    @cached_property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether it is the right one."""
        right: npt.NDArray[np.bool_] = self.predicted == self.labels
        return right


def class_predictions(source: "Predictions | ClassPredictions", column: str | None = None) -> ClassPredictions:
    """Stored predictions as probabilities and labels of one target column.

    :param column: needed where the predictions have several columns of classes.
    :raises UsageError: when there is no such column, the targets are not known, or it has no probabilities.
    """
    if isinstance(source, ClassPredictions):
        return source
    from cnnlab.evaluation.metrics.stored_predictions import finite_outputs, objective_of

    objective = objective_of(source)
    # The data may have columns of classes that are not predicted.
    predicted = [name for name in objective.predicts if name in source.classes]
    name = class_column(source, predicted[0] if column is None and len(predicted) == 1 else column)
    outputs = finite_outputs(source, objective)
    probabilities = objective.probabilities(outputs)
    head = objective.class_heads.get(name, "")
    if head not in probabilities:
        raise UsageError(f"the objective {source.objective} gives no probabilities for {name}.")
    decided = objective.decode(outputs)[name].numpy()
    labels = source.targets[name].astype(np.int64)
    return ClassPredictions(probabilities[head].numpy(), labels, source.classes[name], decided)


def class_column(predictions: Predictions, column: str | None = None) -> str:
    """The target column meant.

    :raises UsageError: when there is no such column of classes, or the targets are not known.
    """
    if not predictions.targets:
        raise UsageError(f"the targets of {predictions.split} are not known, so nothing can be said of its mistakes.")
    known = [name for name in predictions.classes if name in predictions.targets]
    if column is None and len(known) == 1:
        return known[0]
    if column is None or column not in known:
        raise UsageError(f"name one of the columns that hold classes. {suggestion(column or '', known)}")
    return column
