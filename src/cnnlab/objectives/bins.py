"""A number cut into bins, which are told apart as classes."""

import math
from typing import Annotated, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.core.arguments import NonNegative, Positive, Range
from cnnlab.core.errors import DataError, UsageError
from cnnlab.objectives.base import objectives
from cnnlab.objectives.columns import Columns, Targets
from cnnlab.objectives.distances import distances
from cnnlab.objectives.quantity import Quantity, Wanted
from cnnlab.objectives.scalar import checked_range
from cnnlab.objectives.single import Numeric, log_mixture

Decoding: TypeAlias = Literal["centre", "mean", "near"]
_NEAR = 2


class Bins(Numeric):
    """K logits over equal bins of a number's range.

    Metrics: ``loss`` (cross-entropy in nats, with the labels spread as in training), ``accuracy`` of the bin, and in
    the units of the number ``mean_absolute_error`` and ``median_absolute_error`` of what is decoded, around the circle
    for a number that goes round one, with the share ``within_1``, ``within_5`` and ``within_10``.
    """

    soft = True
    smooths = True
    tallied = ("accuracy",)
    judged_by = "mean_absolute_error"
    scored = ("accuracy", "mean_absolute_error", "median_absolute_error", "within_1", "within_5", "within_10")

    def __init__(
        self,
        quantity: Quantity,
        count: int,
        span: tuple[float, float],
        *,
        circular: bool = False,
        spread: float = 0.0,
        decoding: Decoding = "centre",
    ) -> None:
        super().__init__(quantity, count, span[1] - span[0] if circular else None)
        self.low, self.high, self.spread, self.decoding = span[0], span[1], spread, decoding
        self.step = (span[1] - span[0]) / count

    def check(self, targets: Targets) -> None:
        """Refuses numbers outside the bins, which a circle cannot have."""
        super().check(targets)
        values = self.quantity.of(targets)
        if self.period is not None or not len(values):
            return
        least, largest = values.min().item(), values.max().item()
        if least < self.low or largest > self.high:
            raise DataError(
                f"{self.name} runs from {least:g} to {largest:g}, outside the range [{self.low:g}, {self.high:g}] of "
                f"objective=bins. Widen it, as in range=[{min(self.low, math.floor(least)):g}, "
                f"{max(self.high, math.ceil(largest)):g}]."
            )

    def target(self, targets: Targets) -> Tensor:
        """One-hot rows; with ``spread`` a bell around the number, over the bins."""
        values = self.quantity.of(targets)
        if not self.spread:
            return F.one_hot(self._bin(values), self.width).float()
        apart = distances(values[:, None], self._centres(values), self.period)
        return torch.softmax(-0.5 * (apart / self.spread).square(), dim=1).float()

    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Cross-entropy of each sample with its bins."""
        return F.cross_entropy(outputs, target, weight=weight, reduction="none")

    def sums(self, outputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The number of samples whose largest logit is at the largest target."""
        return {"accuracy": (outputs.argmax(1) == target.argmax(1)).sum()}

    def mixture(self, members: Tensor, shares: Tensor) -> Tensor:
        """The logarithm of the weighted mean of the members' probabilities."""
        return log_mixture(torch.log_softmax(members, dim=2), shares)

    def likelihoods(self, outputs: Tensor) -> Tensor:
        """Softmax over the bins."""
        return torch.softmax(outputs, dim=1)

    def classed(self, targets: Targets) -> tuple[Tensor, int]:
        """The bin that the number lies in."""
        return self._bin(self.quantity.of(targets)), self.width

    def value(self, outputs: Tensor) -> Tensor:
        """The centre of the most likely bin, or the mean over the bins, or over those about the most likely one."""
        centres = self._centres(outputs)
        if self.decoding == "centre":
            return centres[outputs.argmax(1)]
        shares = torch.softmax(outputs, dim=1)
        if self.decoding == "near":
            shares = self._near(shares, outputs.argmax(1))
        return self._mean(shares, centres)

    def support(self, outputs: Tensor, candidates: Targets) -> Tensor:
        """The logarithm of the probability of the bin."""
        return torch.log_softmax(outputs, dim=1)[:, self._bin(self.quantity.of(candidates))]

    def scores(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """The metrics named in the class's description."""
        truth = self._bin(self.quantity.of(targets))
        right = (outputs.argmax(1).to(truth.device) == truth).double().mean().item()
        return {"accuracy": right} | self.errors(outputs, targets) | self.shares(outputs, targets)

    def _bin(self, values: Tensor) -> Tensor:
        # A number may miss the edge of its bin by its rounding alone.
        place = torch.floor((values - self.low) / self.step + 1e-9).long()
        return place.remainder(self.width) if self.period is not None else place.clamp(0, self.width - 1)

    def _centres(self, like: Tensor) -> Tensor:
        places = torch.arange(self.width, dtype=like.dtype, device=like.device)
        return self.low + (places + 0.5) * self.step

    def _near(self, shares: Tensor, peak: Tensor) -> Tensor:
        """Only the bins at the peak and two on either side of it, brought to a sum of one."""
        places = torch.arange(self.width, device=shares.device)
        around = float(self.width) if self.period is not None else None
        kept = shares * (distances(places[None], peak[:, None], around) <= _NEAR)
        return kept / kept.sum(1, keepdim=True)

    def _mean(self, shares: Tensor, centres: Tensor) -> Tensor:
        """The mean of the bins' centres; of a circle its direction (Mardia and Jupp, Directional Statistics, 2.2)."""
        if self.period is None:
            return shares @ centres
        angles = centres * (2 * math.pi / self.period)
        angle = torch.atan2(shares @ angles.sin(), shares @ angles.cos())
        return angle.remainder(2 * math.pi) * (self.period / (2 * math.pi))


@objectives.register("bins")
def bins(
    columns: Columns,
    count: Annotated[int, Range(2)],
    range: tuple[float, float] | None = None,
    column: Wanted = None,
    units: tuple[Positive, ...] | None = None,
    circular: bool = False,
    spread: NonNegative = 0.0,
    decode: Decoding = "centre",
) -> Bins:
    """A number cut into equal bins, which are told apart as classes by softmax and cross-entropy.

    :param count: how many bins.
    :param range: from the beginning of the first bin to the end of the last.
    :param column: the target column; or a list of those that make up the number, each times its unit.
    :param units: what one of each column is worth: 60 and 1 for hour and minute unless told otherwise.
    :param circular: whether the last bin meets the first; the range is once around.
    :param spread: spreads each label over the neighbouring bins in a bell of this SD, in the units of the number.
    :param decode: ``centre`` of the most likely bin, ``mean`` over all bins by their probabilities (around the circle
        its direction), or ``near``, the mean over the most likely one and two on either side.
    """
    quantity = Quantity.read(columns, column, units, "bins")
    if range is None:
        low, high = quantity.span or (0, 100)
        raise UsageError(
            f"objective=bins({count}) needs the range that is cut into bins, from the beginning of the first to the "
            f"end of the last, as in range=[{math.floor(low)}, {math.floor(high) + 1}]."
        )
    span = checked_range(range, "bins")
    return Bins(quantity, count, span, circular=circular, spread=spread, decoding=decode)
