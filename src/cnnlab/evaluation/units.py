"""How a metric is written for a person."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """The unit in which differences of a metric are told.

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
        return f"{self.number(abs(value))}{self._suffix}"

    def signed(self, value: float) -> str:
        """A difference with its sign, as ``+1.20 points``."""
        return f"{self.number(value, sign=True)}{self._suffix}"

    def number(self, value: float, *, sign: bool = False) -> str:
        """The number alone; zero bears no sign."""
        text = f"{value * self.scale:{'+' if sign else ''}.{self.digits}f}"
        return text.lstrip("+-") if not text.strip("+-0.") else text

    def value(self, value: float) -> str:
        """A value rather than a difference, as ``93.48%``."""
        return f"{self.number(value)}{self._suffix if self.mark is None else self.mark}"

    @property
    def _suffix(self) -> str:
        return f" {self.name}" if self.name else ""


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
    # Comparing numbers needs no torch, which objectives do.
    from cnnlab.objectives import metrics

    return _UNITS.get(metrics.unit(metric), NUMBER)
