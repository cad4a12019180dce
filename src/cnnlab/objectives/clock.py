"""The common-sense error of a clock: how far two times are apart around the dial."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from cnnlab.objectives.columns import Columns, Targets, number_columns
from cnnlab.objectives.distances import NEAR, distances, middle, shares_within
from cnnlab.objectives.quantity import Quantity

HOUR, MINUTE = "hour", "minute"
TIME = "time"
"""What both make up."""
DIAL = 720.0
"""Minutes around the dial."""


@dataclass(frozen=True)
class Clock:
    """Scores of the time of day that columns of hours and minutes make up, in minutes around the dial.

    11:55 and 0:05 are 10 minutes apart, and no two times more than 360. Guessing is off by 180 on average.
    """

    time: Quantity

    @classmethod
    def of(cls, columns: Columns, predicted: tuple[str, ...]) -> "Clock | None":
        """The clock of these columns; None where they hold no time, or not both its parts are predicted."""
        has_both = {HOUR, MINUTE} <= set(number_columns(columns)) & set(predicted)
        return cls(Quantity.read(columns, (HOUR, MINUTE), None, "clock")) if has_both else None

    @property
    def scored(self) -> tuple[str, ...]:
        """The names of what :meth:`scores` gives."""
        return ("clock_mean_error", "clock_median_error", *(f"clock_within_{near}" for near in NEAR))

    @property
    def judged_by(self) -> str:
        """The score that tells best how good a clock is read."""
        return "clock_mean_error"

    def read(self, predicted: Mapping[str, Tensor], targets: Targets) -> tuple[Tensor, Tensor]:
        """The predicted and the true time in minutes, N each.

        :param predicted: hours and minutes as numbers, which need not be whole.
        """
        truth = self.time.of(targets)
        return (60 * predicted[HOUR] + predicted[MINUTE]).to(truth.device), truth

    def scores(self, predicted: Mapping[str, Tensor], targets: Targets) -> dict[str, float]:
        """Mean and median distance in minutes, and the share within 1, 5 and 10 minutes; :meth:`read` says of what."""
        apart = distances(*self.read(predicted, targets), DIAL)
        scores = {"mean_error": apart.mean().item(), "median_error": middle(apart)} | shares_within(apart)
        return {f"clock_{name}": value for name, value in scores.items()}
