"""Numbers of entries as people read them, by what they are of: a unit, or the name of a metric."""

from cnnlab.core.number_text import deciding_digits, fixed, plain_number
from cnnlab.evaluation.units import MINUTES, NUMBER, POINTS, SECONDS, Unit


def value_text(value: float | None, of: str) -> str | None:
    """A value; a share, or what is called after one, in percent, a time in seconds or minutes with few digits."""
    if value is None:
        return None
    unit = _unit(of)
    if unit in (SECONDS, MINUTES):
        return f"{plain_number(round(value, unit.digits))} {unit.name}"
    return unit.value(value) if unit is POINTS else plain_number(value)


def mean_text(value: float | None, of: str) -> str | None:
    """A mean over repeats, which has no more digits than its interval."""
    if value is None or float(value).is_integer() or _unit(of) is not NUMBER:
        return value_text(value, of)
    return fixed(value, _digits(value), grouped=True)


def range_text(low: float | None, high: float | None, of: str, *, sign: bool = False) -> str | None:
    """An interval; of a difference, with its unit."""
    if low is None or high is None:
        return None
    unit = _unit(of)
    if unit is NUMBER:
        digits = deciding_digits((low, high), (0.0,) if sign else (), _digits(max(abs(low), abs(high))))
        return " to ".join(fixed(end, digits, sign=sign, grouped=True) for end in (low, high))
    return f"{unit.range(low, high, sign=sign)} {unit.name}" if sign else unit.range(low, high)


def _digits(value: float) -> int:
    """After the point, so that five are to be seen of most."""
    return 4 if abs(value) < 10 else 2 if abs(value) < 1000 else 0


def _unit(of: str) -> Unit:
    """The unit of what a number is of: the unit itself, or the name of a metric for a person."""
    if of in ("seconds", "training time"):
        return SECONDS
    if "clock" in of:
        return MINUTES
    return POINTS if of == "share" or any(word in of for word in ("accuracy", "recall", "precision", "f1")) else NUMBER
