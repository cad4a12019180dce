"""How sure a number is: confidence intervals of means, shares and differences."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist, fmean, variance
from typing import Any, Literal, TypeAlias

from cnnlab.core.errors import UsageError
from cnnlab.core.number_text import fixed
from cnnlab.evaluation.student_t import checked_level, t_quantile, welch

Chance: TypeAlias = Literal["pictures", "repeats", "repeats and pictures"]
LEVEL = 0.95
_DIGITS = 4
_BISECTIONS = 60


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    :param level: how often such an interval covers the true value, between 0 and 1.
    :param method: how it was reckoned, in a few words.
    :param over: what it covers the chance of: ``pictures`` (this very classifier on others like these), ``repeats``
        (other trainings on these very pictures), or ``repeats and pictures``.
    """

    low: float
    high: float
    level: float = LEVEL
    method: str = ""
    over: Chance | None = None

    @property
    def width(self) -> float:
        """The distance between its ends."""
        return self.high - self.low

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def within(self, low: float, high: float) -> "Interval":
        """The part of it that is possible at all, as of a share between 0 and 1."""
        return replace(self, low=min(max(self.low, low), high), high=max(min(self.high, high), low))

    def reversed(self) -> "Interval":
        """That of the difference taken the other way round."""
        return replace(self, low=-self.high, high=-self.low)

    def __str__(self) -> str:
        return f"{fixed(self.low, _DIGITS)} to {fixed(self.high, _DIGITS)}"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        return asdict(self)


def mean_interval(
    values: Iterable[float],
    level: float = LEVEL,
    within: tuple[float, float] | None = None,
    step: float = 0.0,
) -> Interval | None:
    """Student's interval of the mean over repeats; values that are not finite are left out.

    :param within: what the mean can be at all, such as (0, 1) for an accuracy.
    :param step: in which the values are counted, such as one picture of n, or one epoch; see :func:`least_variance`.
    :returns: None for fewer than two values, or for values that do not vary and have no step: neither says anything
        of their spread.
    """
    finite = _finite(values)
    if len(finite) < 2:
        return None
    spread = max(variance(finite), least_variance(step))
    if not spread:
        return None
    half = t_quantile(level, len(finite) - 1) * math.sqrt(spread / len(finite))
    middle = fmean(finite)
    result = Interval(middle - half, middle + half, checked_level(level), f"t over {len(finite)} repeats", "repeats")
    return result if within is None else result.within(*within)


def least_variance(step: float) -> float:
    """What repeats that are counted in steps vary by at the least, whatever the few that there are show.

    Repeats that agree may still fall to either of two neighbouring steps, and such vary most where both are as
    likely: by half a step.
    """
    return step**2 / 4


def wilson(successes: float, n: int, level: float = LEVEL) -> Interval | None:
    """Wilson's score interval of a share (1927), for one run scored on n pictures.

    It is about other pictures of the same kind, for this very classifier; it says nothing of another training.

    :returns: None when there are no pictures.
    :raises UsageError: when there are more successes than pictures.
    """
    if not 0 <= successes <= n:
        raise UsageError(f"{successes} right of {n} pictures cannot be.")
    if n == 0:
        return None
    z = NormalDist().inv_cdf(0.5 + checked_level(level) / 2)
    return Interval(*wilson_ends(successes / n, n, z), level, f"Wilson, {n} pictures", "pictures")


def wilson_ends(share: float, n: float, critical: float) -> tuple[float, float]:
    """Wilson's interval of a share, ``n`` the pictures, or as many as would be as telling as what was seen."""
    square = critical**2
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = critical / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    # At the ends the formula gives 0 and 1 but for rounding.
    return 0.0 if share == 0 else middle - half, 1.0 if share == 1 else middle + half


def tango(only_first: int, only_second: int, n: int, level: float = LEVEL) -> Interval:
    """Tango's score interval (1998) of the difference of two shares of the same ``n`` pictures, first minus second.

    It holds every difference that the score test does not refuse, with the share of disagreements estimated anew under
    each. Of the intervals for paired shares it alone covers the true difference in 93% of cases or more, for 20 to
    10,000 pictures and whatever shares of them only one classifier has right; those of Agresti and Min (2005) and of
    Newcombe (1998, method 10) fall to 86% (``benchmarks/results/statistics-error-rates.md``).

    :param only_first: pictures that only the first has right; ``only_second`` those that only the second has.
    :raises UsageError: when there are no pictures, or more of these than pictures.
    """
    if not 0 < n >= only_first + only_second:
        raise UsageError(f"{only_first} and {only_second} of {n} pictures cannot be.")
    z = NormalDist().inv_cdf(0.5 + checked_level(level) / 2)

    def is_held(difference: float) -> bool:
        # The share that only the second has right, as likely as it can be under this difference.
        linear = (2 * n - only_first + only_second) * difference - only_first - only_second
        constant = -only_second * difference * (1 - difference)
        share = (math.sqrt(max(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
        spread = n * (2 * share + difference * (1 - difference))
        return (only_first - only_second - n * difference) ** 2 <= z * z * spread

    middle = (only_first - only_second) / n
    low, high = (last_held(is_held, middle, side) for side in (-1.0, 1.0))
    return Interval(low, high, level, f"Tango, {n} pictures", "pictures")


def last_held(is_held: Callable[[float], bool], inside: float, outside: float) -> float:
    """The end of an interval by bisection: the last number on the way outwards that is held."""
    for _ in range(_BISECTIONS):
        between = (inside + outside) / 2
        inside, outside = (between, outside) if is_held(between) else (inside, between)
    return inside


@dataclass(frozen=True)
class Estimate:
    """A number and how sure it is; NaN where it is not defined, no interval where nothing tells of its spread."""

    value: float
    interval: Interval | None = None


def score_interval(metric: str, value: float, n: int, level: float = LEVEL) -> Interval | None:
    """Wilson's interval of a score, where the metric is a share of the pictures.

    :param metric: by its name, such as ``accuracy`` or ``top5_accuracy``; None comes back for ``loss``, and for
        ``balanced_accuracy``, which weighs pictures unequally.
    """
    is_share = metric.endswith("accuracy") and not metric.endswith("balanced_accuracy")
    if not is_share or not n or not 0 <= value <= 1:
        return None
    return wilson(round(value * n), n, level)


def paired_interval(first: Iterable[float], second: Iterable[float], level: float = LEVEL) -> Interval | None:
    """Student's interval of the mean difference, first minus second, over repeats that belong together in pairs.

    :raises UsageError: when there are not as many of one as of the other.
    """
    left, right = list(first), list(second)
    if len(left) != len(right):
        raise UsageError(f"{len(left)} values cannot be paired with {len(right)}.")
    result = mean_interval([a - b for a, b in zip(left, right, strict=True)], level)
    return None if result is None else replace(result, method=f"paired {result.method}")


def two_sample_interval(first: Iterable[float], second: Iterable[float], level: float = LEVEL) -> Interval | None:
    """Welch's interval of the difference of means, first minus second, over repeats that do not belong together.

    :returns: None when either has fewer than two values.
    """
    left, right = _finite(first), _finite(second)
    if min(len(left), len(right)) < 2:
        return None
    difference, error, df = welch(left, right)
    half = t_quantile(level, df) * error if error else 0.0
    return Interval(difference - half, difference + half, checked_level(level), "Welch's t", "repeats")


def _finite(values: Iterable[float]) -> list[float]:
    return [float(value) for value in values if math.isfinite(value)]
