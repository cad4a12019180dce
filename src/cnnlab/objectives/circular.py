"""A number that goes round a circle, by its sine and cosine."""

import math

import torch
from torch import Tensor

from cnnlab.core.arguments import Positive
from cnnlab.objectives.base import objectives
from cnnlab.objectives.columns import Columns, Targets
from cnnlab.objectives.distances import distances
from cnnlab.objectives.quantity import Quantity, Wanted
from cnnlab.objectives.single import Numeric

_LONGEST = 0.999
"""No prediction is taken for surer than that, which is about 1.5 degrees."""


class Circular(Numeric):
    """Two outputs, sine and cosine of the number's angle; the predicted vector's length tells how sure it is.

    Metrics: ``loss`` (mean squared error of sine and cosine), and around the circle, in the units of the number,
    ``mean_absolute_error`` and ``median_absolute_error`` with the share ``within_1``, ``within_5`` and ``within_10``.
    """

    tallied = ("mean_absolute_error",)
    judged_by = "mean_absolute_error"
    scored = ("mean_absolute_error", "median_absolute_error", "within_1", "within_5", "within_10")

    def __init__(self, quantity: Quantity, period: float) -> None:
        super().__init__(quantity, 2, period)
        self.turn = period / (2 * math.pi)

    def target(self, targets: Targets) -> Tensor:
        """Sine and cosine."""
        angles = self.quantity.of(targets) / self.turn
        return torch.stack([angles.sin(), angles.cos()], dim=1).float()

    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean squared error of both."""
        return (outputs - target.to(outputs.dtype)).square().mean(1)

    def sums(self, outputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The sum of the distances around the circle."""
        return {"mean_absolute_error": distances(self.value(outputs), self.value(target), self.period).sum()}

    def value(self, outputs: Tensor) -> Tensor:
        """The angle of the vector, as a number from 0 to the period."""
        angles = torch.atan2(outputs[:, 0], outputs[:, 1])
        return angles.remainder(2 * math.pi) * self.turn

    def sureness(self, outputs: Tensor) -> Tensor:
        """The vector's length, at most 1."""
        return outputs.square().sum(1).sqrt().clamp(max=1)

    def support(self, outputs: Tensor, candidates: Targets) -> Tensor:
        """That of a von Mises distribution whose mean direction and mean length are the vector's.

        Its concentration is approximated as Banerjee and others do, Clustering on the unit hypersphere using von
        Mises-Fisher distributions (2005), equation 4.4: r (d - r²) / (1 - r²), here d = 2.
        """
        length = outputs.square().sum(1, keepdim=True).sqrt()
        r = length.clamp(max=_LONGEST)
        concentration = r * (2 - r.square()) / (1 - r.square())
        direction = outputs / length.clamp(min=1e-12)
        return concentration * (direction @ self.target(candidates).to(outputs).T)

    def scores(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """The metrics named in the class's description."""
        return self.errors(outputs, targets) | self.shares(outputs, targets)


@objectives.register("circular")
def circular(
    columns: Columns,
    period: Positive,
    column: Wanted = None,
    units: tuple[Positive, ...] | None = None,
) -> Circular:
    """A number that goes round a circle, by regression of its sine and cosine.

    :param period: once around: 720 for the minutes of a dial, 360 for degrees.
    :param column: the target column; or a list of those that make up the number, each times its unit.
    :param units: what one of each column is worth: 60 and 1 for hour and minute unless told otherwise.
    """
    return Circular(Quantity.read(columns, column, units, "circular"), period)
