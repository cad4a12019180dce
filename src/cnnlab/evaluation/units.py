"""How a metric is written for a person."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from cnnlab.core import metric_names
from cnnlab.core.number_text import deciding_digits, fixed


@dataclass(frozen=True)
class Unit:
    """The unit in which differences of a metric are told.

    Where the side of zero matters, as of a difference, or that of another level, as many digits are written as show it.

    :param name: in words, put after the number; empty for a bare number.
    :param scale: what a value is multiplied by.
    :param digits: how many are written after the decimal point.
    :param mark: what stands behind a value that is no difference; None for the same as behind a difference.
    """

    name: str
    scale: float
    digits: int
    mark: str | None = None

    def text(self, value: float) -> str:
        """A size without its sign, as ``1.20 points``."""
        return f"{self.number(abs(value), against=(0.0,))}{self._suffix}"

    def signed(self, value: float) -> str:
        """A difference with its sign, as ``+1.20 points``."""
        return f"{self.number(value, sign=True)}{self._suffix}"

    def number(self, value: float, *, sign: bool = False, against: Iterable[float] = ()) -> str:
        """The number alone; zero bears no sign.

        :param sign: whether it is a difference, whose side of zero matters.
        :param against: other levels of which the side matters.
        """
        return fixed(value * self.scale, self._digits((value,), sign, against), sign=sign)

    def range(
        self,
        low: float,
        high: float,
        *,
        sign: bool = False,
        against: Iterable[float] = (),
        around: float | None = None,
    ) -> str:
        """Both ends of an interval with equally many digits, as ``−0.04 to +0.31``; otherwise as :meth:`number`.

        :param around: the estimate that stands beside it, which has no more digits than they.
        """
        beside = self.digits if around is None else self._digits((around,), sign, ())
        digits = max(beside, self._digits((low, high), sign, against))
        return " to ".join(fixed(end * self.scale, digits, sign=sign) for end in (low, high))

    def value(self, value: float, *, against: Iterable[float] = ()) -> str:
        """A value rather than a difference, as ``93.48%``."""
        return f"{self.number(value, against=against)}{self._suffix if self.mark is None else self.mark}"

    @property
    def _suffix(self) -> str:
        return f" {self.name}" if self.name else ""

    def _digits(self, values: Iterable[float], sign: bool, against: Iterable[float]) -> int:
        levels = [level * self.scale for level in (*([0.0] if sign else []), *against)]
        return deciding_digits([value * self.scale for value in values if isfinite(value)], levels, self.digits)


POINTS = Unit("points", 100.0, 2, "%")
"""Percentage points, for shares between 0 and 1."""
NUMBER = Unit("", 1.0, 4)
SECONDS = Unit("s", 1.0, 1)
MINUTES = Unit("min", 1.0, 2)
_UNITS = {"share": POINTS, "minutes": MINUTES}


def unit_of(metric: str) -> Unit:
    """The unit for a metric by its name, such as ``test_accuracy``, ``validation.loss`` or ``seconds``."""
    if metric.endswith("seconds"):
        return SECONDS
    return _UNITS.get(metric_names.unit(metric), NUMBER)
