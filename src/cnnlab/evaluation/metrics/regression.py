"""Predicted numbers beside the true ones: what the metrics of a regression are taken from."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cnnlab.core.metric_names import MetricUnit
from cnnlab.runs import Predictions

Array: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NumberPredictions:
    """One number of N pictures.

    :param name: of the column or columns that it is made of; ``time`` for that of a clock.
    :param truth: N; ``predicted`` likewise.
    :param period: of a number that goes round a circle, such as 720 minutes.
    """

    name: str
    truth: Array
    predicted: Array
    period: float | None = None
    unit: MetricUnit = "number"

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def errors(self) -> Array:
        """Predicted minus true, N; around a circle the shorter way, from minus half the period to half of it."""
        apart: Array = self.predicted - self.truth
        if self.period is None:
            return apart
        half = self.period / 2
        return (apart + half) % self.period - half

    @property
    def distances(self) -> Array:
        """How far off each is, without a sign."""
        far: Array = np.abs(self.errors)
        return far

    @property
    def guess(self) -> float:
        """How far off one is on average who always says the same number, the best one for that."""
        if self.period is None:
            return float(np.abs(self.truth - np.median(self.truth)).mean())
        # The best is one of the true ones, as on a line.
        choices = np.unique(self.truth)
        choices = choices[:: -(-len(choices) // _MOST_CHOICES)]
        half = self.period / 2
        return min(float(np.abs((number - self.truth + half) % self.period - half).mean()) for number in choices)


_MOST_CHOICES = 1000


def number_predictions(source: Predictions) -> tuple[NumberPredictions, ...]:
    """Every number that was predicted, in the order of the heads; of a clock the time alone, as its heads decide.

    :raises UsageError: when the targets are not known, or some outputs are not finite.
    """
    import torch

    from cnnlab.evaluation.metrics.stored_predictions import check_targets, finite_outputs, objective_of
    from cnnlab.objectives.clock import DIAL, TIME

    objective = objective_of(source)
    if objective.clock is None and not objective.number_heads:
        return ()
    check_targets(source, objective)
    outputs = finite_outputs(source, objective)
    targets = {name: torch.from_numpy(column) for name, column in source.targets.items()}
    if objective.clock is not None:
        said, truth = objective.clock.read(objective.numbers(outputs), targets)
        return (NumberPredictions(TIME, truth.numpy(), said.numpy(), DIAL, "minutes"),)
    split = objective.split(outputs)
    return tuple(
        NumberPredictions(
            head,
            number.quantity.of(targets).numpy(),
            number.value(split[head]).numpy(),
            number.period,
        )
        for head, number in objective.number_heads.items()
    )
