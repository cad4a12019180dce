"""A number, by regression."""

from typing import Literal, TypeAlias

import torch.nn.functional as F
from torch import Tensor

from cnnlab.core.arguments import Positive
from cnnlab.core.errors import UsageError
from cnnlab.objectives.base import objectives
from cnnlab.objectives.columns import Columns, Targets
from cnnlab.objectives.quantity import Quantity, Wanted
from cnnlab.objectives.single import Numeric

ScalarLoss: TypeAlias = Literal["mse", "mae", "huber"]

_DOUBT = 0.1
"""How far off a prediction is taken to be where others speak of the same column, in the scale of [-1, 1]."""


class Scalar(Numeric):
    """One output, which is the number brought from ``range`` to [-1, 1].

    Metrics, in the units of the number: ``mean_absolute_error``, ``root_mean_square_error``,
    ``median_absolute_error``, and ``r2``, the share of the variance that is explained. ``loss`` is that of the number
    brought to [-1, 1].
    """

    tallied = ("mean_absolute_error",)
    judged_by = "mean_absolute_error"
    scored = ("mean_absolute_error", "median_absolute_error", "root_mean_square_error", "r2")

    def __init__(
        self, quantity: Quantity, span: tuple[float, float], kind: ScalarLoss = "mse", delta: float = 0.1
    ) -> None:
        super().__init__(quantity, 1)
        self.centre, self.half = (span[0] + span[1]) / 2, (span[1] - span[0]) / 2
        self.kind, self.delta = kind, delta
        self.settled["range"] = span

    def target(self, targets: Targets) -> Tensor:
        """The number brought to [-1, 1]."""
        return ((self.quantity.of(targets) - self.centre) / self.half).float()[:, None]

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
        return {"mean_absolute_error": (outputs - target).abs().sum() * self.half}

    def value(self, outputs: Tensor) -> Tensor:
        """The output brought back to its range."""
        return self.centre + self.half * outputs[:, 0]

    def support(self, outputs: Tensor, candidates: Targets) -> Tensor:
        """That of a bell around the prediction; its SD is a twentieth of the range, for how sure it is nobody knows."""
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
) -> Scalar:
    """A number, by regression.

    :param column: the target column; or a list of those that make up the number, each times its unit.
    :param range: where the number lies; it is brought from there to [-1, 1] for the network. By default from the
        least to the largest of columns that hold whole numbers as classes; of others it must be given.
    :param units: what one of each column is worth: 60 and 1 for hour and minute unless told otherwise.
    :param loss: ``mse``, ``mae`` or ``huber`` (squared up to ``delta``, in the scale of [-1, 1], then absolute).
    """
    quantity = Quantity.read(columns, column, units, "scalar")
    span = range or quantity.span
    if span is None:
        raise UsageError(
            f"objective=scalar needs to know where {quantity.name} lies, for networks learn numbers near 0: give the "
            f"range, as in 'objective=scalar(column={quantity.name}, range=[0, 100])'."
        )
    return Scalar(quantity, checked_range(span, "scalar"), loss, delta)


def checked_range(span: tuple[float, float], objective: str) -> tuple[float, float]:
    """A range that begins before it ends.

    :raises UsageError: for another.
    """
    if not span[0] < span[1]:
        raise UsageError(f"range of objective={objective} goes from the least to the largest; got {list(span)}.")
    return span
