"""Numbers as people read them: a true minus, no sign before zero, and the digits that decide."""

import math
from collections.abc import Iterable

MINUS = "−"
_MOST = 9
_NOISE = 1e-9
"""Numbers that differ by less are the same: what is left of adding up in binary."""


def with_minus(text: str) -> str:
    """The text of a number, its hyphen as a minus; that of an exponent stays."""
    return f"{MINUS}{text[1:]}" if text.startswith("-") else text


def fixed(value: float, digits: int, *, sign: bool = False, grouped: bool = False) -> str:
    """So many digits after the point.

    :param sign: whether a plus is written too. What is rounded to zero bears no sign.
    :param grouped: whether commas set thousands apart.
    """
    text = f"{value:{'+' if sign else ''}{',' if grouped else ''}.{digits}f}"
    return with_minus(text if text.strip("+-0.") else text.lstrip("+-"))


def counted(count: int, noun: str) -> str:
    """``1 repeat``, ``3 repeats``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def deciding_digits(values: Iterable[float], levels: Iterable[float], least: int) -> int:
    """How many digits after the point show of each value on which side of each level it lies.

    >>> deciding_digits([-0.04, 0.31], [0.0], 1)
    2

    :param least: as many it is at least.
    """
    pairs = [(value, level) for value in values for level in levels if abs(value - level) > _NOISE]
    return next(
        (digits for digits in range(least, _MOST) if all(round(a, digits) != round(b, digits) for a, b in pairs)),
        _MOST,
    )


def in_units(size: int) -> str:
    """Bytes for a person."""
    for unit, scale in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} B"


def plain_number(value: float) -> str:
    """A number as it stands: whole ones with commas at thousands, others to six significant digits, a true minus."""
    text = f"{int(value):,}" if abs(value) < 1e15 and value == int(value) else f"{value:.6g}"
    return with_minus(text)


def plain_or_percent(text: str) -> float | None:
    """A finite number as a person writes it, ``0.72`` or ``72%``; None for anything else."""
    text = text.strip()
    try:
        value = float(text.removesuffix("%").strip()) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
