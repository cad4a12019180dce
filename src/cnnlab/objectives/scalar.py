"""A number, by regression."""

import math
from typing import Literal, TypeAlias

import torch.nn.functional as F
from torch import Tensor

from cnnlab.core.arguments import Positive
from cnnlab.core.errors import UsageError
from cnnlab.objectives.base import SCALE, objectives
from cnnlab.objectives.columns import Columns, Targets
from cnnlab.objectives.quantity import Quantity, Wanted
from cnnlab.objectives.single import Numeric

ScalarLoss: TypeAlias = Literal["mse", "mae", "huber"]

_DOUBT = 0.125
"""How far off a prediction is taken to be where others speak of the same column, in standard deviations."""


class Scalar(Numeric):
    """One output, which is the number standardised: so many ``std`` above ``mean``.

    Metrics, in the units of the number: ``mean_absolute_error``, ``root_mean_square_error``,
    ``median_absolute_error``, and ``r2``, the share of the variance that is explained. ``loss`` is that of the
    standardised number: the squared error of a constant guess is 1.

    :param scale: mean and standard deviation; None for those of the targets that it is fitted to.
    """

    tallied = ("mean_absolute_error",)
    judged_by = "mean_absolute_error"
    scored = ("mean_absolute_error", "median_absolute_error", "root_mean_square_error", "r2")

    def __init__(
        self, quantity: Quantity, scale: tuple[float, float] | None = None, kind: ScalarLoss = "mse", delta: float = 0.1
    ) -> None:
        super().__init__(quantity, 1)
        self.kind, self.delta, self._is_open = kind, delta, scale is None
        # Records made before numbers were standardised took classes from their least to their largest.
        self._take(scale or (_of_range(*quantity.span) if quantity.span else (0.0, 1.0)))

    def _take(self, scale: tuple[float, float]) -> None:
        self.mean, self.std = scale
        self.scales = {self.name: scale}
        self.settled |= dict(zip(SCALE, (None, *scale), strict=True))

    def fit(self, targets: Targets) -> None:
        """Standardises by the mean and deviation of these targets, unless the spec has others."""
        if self._is_open:
            values = self.quantity.of(targets).tolist()
            # Summed exactly: the same on every machine, with however many threads.
            mean = math.fsum(values) / len(values)
            variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
            self._take((mean, math.sqrt(variance) or 1.0))

    def target(self, targets: Targets) -> Tensor:
        """The number standardised."""
        return ((self.quantity.of(targets) - self.mean) / self.std).float()[:, None]

    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Squared or absolute error, or Huber's."""
        said, truth = outputs[:, 0], target[:, 0].to(outputs.dtype)
        if self.kind == "mse":
            return F.mse_loss(said, truth, reduction="none")
        if self.kind == "mae":
            return F.l1_loss(said, truth, reduction="none")
        return F.huber_loss(said, truth, reduction="none", delta=self.delta)

    def sums(self, outputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The sum of absolute errors, in the units of the number."""
        return {"mean_absolute_error": (outputs - target).abs().sum() * self.std}

    def value(self, outputs: Tensor) -> Tensor:
        """The output in the units of the number."""
        return self.mean + self.std * outputs[:, 0]

    def support(self, outputs: Tensor, candidates: Targets) -> Tensor:
        """That of a bell around the prediction, an eighth as wide as all numbers; how sure it is nobody knows."""
        return -0.5 * ((outputs - self.target(candidates).to(outputs).T) / _DOUBT).square()

    def scores(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """The metrics named in the class's description."""
        truth = self.quantity.of(targets)
        errors = self.value(outputs).to(truth) - truth
        square, variance = errors.square().mean().item(), truth.var(correction=0).item()
        # Of a number that never varies, as scikit-learn has it.
        explained = 1 - square / variance if variance else float(square == 0)
        return self.errors(outputs, targets) | {"root_mean_square_error": square**0.5, "r2": explained}


@objectives.register("scalar")
def scalar(
    columns: Columns,
    column: Wanted = None,
    range: tuple[float, float] | None = None,
    units: tuple[Positive, ...] | None = None,
    loss: ScalarLoss = "mse",
    delta: Positive = 0.1,
    mean: float | None = None,
    std: Positive | None = None,
) -> Scalar:
    """A number, by regression; standardised for the network by the mean and deviation of the training targets.

    :param column: the target column; or a list of those that make up the number, each times its unit.
    :param range: brought from there to [-1, 1] instead of being standardised.
    :param units: what one of each column is worth: 60 and 1 for hour and minute unless told otherwise.
    :param loss: ``mse``, ``mae`` or ``huber`` (squared up to ``delta`` standard deviations, then absolute).
    :param mean, std: standardised by these, whatever the training targets are.
    """
    quantity = Quantity.read(columns, column, units, "scalar")
    return Scalar(quantity, _given_scale(range, mean, std), loss, delta)


def _given_scale(span: tuple[float, float] | None, mean: float | None, std: float | None) -> tuple[float, float] | None:
    """The mean and deviation that the spec gives; None where it gives none."""
    if span is not None and (mean, std) != (None, None):
        raise UsageError("objective=scalar takes range, or mean and std, and not both; each says how to scale numbers.")
    if span is not None:
        return _of_range(*checked_range(span, "scalar"))
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise UsageError("objective=scalar takes mean and std together; give both, or neither.")
    return mean, std


def _of_range(low: float, high: float) -> tuple[float, float]:
    """The mean and deviation by which a range becomes [-1, 1]."""
    return (low + high) / 2, (high - low) / 2 or 1.0


def checked_range(span: tuple[float, float], objective: str) -> tuple[float, float]:
    """A range that begins before it ends.

    :raises UsageError: for another.
    """
    if not span[0] < span[1]:
        raise UsageError(f"range of objective={objective} goes from the least to the largest; got {list(span)}.")
    return span
