"""Measured values against a reference: a published number, a level that is claimed, or a mean with its own spread."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import NormalDist, fmean, stdev, variance
from typing import Any, Literal, TypeAlias

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.results import p_text
from cnnlab.evaluation.intervals import LEVEL, Interval, mean_interval, wilson
from cnnlab.evaluation.student_t import t_quantile, two_sided_p, welch_satterthwaite
from cnnlab.evaluation.units import POINTS, Unit

ReferenceVerdict: TypeAlias = Literal["better", "worse", "reproduced", "undecided", "untested"]


@dataclass(frozen=True)
class ReferenceComparison:
    """The mean of measured values beside a number that is taken as exact.

    :param difference: mean minus number, with its interval.
    :param verdict: ``better`` or ``worse`` than the number; ``reproduced``: the interval lies within the tolerance;
        ``undecided``: neither; ``untested``: nothing tells the spread.
    """

    mean: float | None
    number: float
    interval: Interval | None
    p_value: float | None
    verdict: ReferenceVerdict
    unit: Unit

    @property
    def difference(self) -> float | None:
        """Mean minus number."""
        return None if self.mean is None else self.mean - self.number

    @property
    def sentence(self) -> str:
        """The verdict in words, with the numbers behind it."""
        if self.mean is None or self.difference is None:
            return "not measured: there are no values."
        words = {"reproduced": "reproduced", "undecided": "cannot be told apart", "untested": "not tested"}
        parts = [self.unit.signed(self.difference)]
        if self.interval is not None:
            ends = " to ".join(self.unit.number(end, sign=True) for end in (self.interval.low, self.interval.high))
            parts.append(f"{self.interval.level * 100:g}% interval {ends}")
        if self.p_value is not None:
            parts.append(p_text(self.p_value))
        return f"{words.get(self.verdict, self.verdict)} ({', '.join(parts)})."

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        facts = {name: getattr(self, name) for name in ("mean", "number", "difference", "p_value", "verdict")}
        return {**facts, "interval": self.interval and self.interval.to_dict(), "sentence": self.sentence}


def compare_to_number(
    values: Iterable[float],
    number: float,
    *,
    level: float = LEVEL,
    higher_is_better: bool = True,
    unit: Unit = POINTS,
    tolerance: float | None = None,
    n: int | None = None,
    step: float = 0.0,
) -> ReferenceComparison:
    """Whether measured values are above or below a number, or agree with it.

    :param values: of the repeats; several by Student's one-sample t.
    :param tolerance: within which a result counts as reproduced, in the units of the values. Without it a number that
        lies in the interval counts as reproduced, which few repeats achieve easily: look at the interval's width.
    :param n: pictures; for one value that is a share of them, by Wilson's interval.
    :param step: in which the values are counted; see :func:`~cnnlab.evaluation.mean_interval`.
    """
    if tolerance is not None and not tolerance > 0:
        raise UsageError(f"a tolerance is more than 0; {tolerance} is not.")
    finite = [float(value) for value in values if isfinite(value)]
    if not finite:
        return ReferenceComparison(None, number, None, None, "untested", unit)
    mean = fmean(finite)
    interval, p = _by_t(finite, number, level, step) if len(finite) > 1 else _by_images(mean, number, n, level)
    return ReferenceComparison(mean, number, interval, p, number_verdict(interval, higher_is_better, tolerance), unit)


def number_verdict(interval: Interval | None, higher_is_better: bool, tolerance: float | None) -> ReferenceVerdict:
    """What the interval of the difference says of it."""
    if interval is None:
        return "untested"
    if tolerance is not None and -tolerance <= interval.low and interval.high <= tolerance:
        return "reproduced"
    if 0 in interval:
        return "undecided" if tolerance is not None else "reproduced"
    return "better" if (interval.low > 0) == higher_is_better else "worse"


def _by_t(values: list[float], number: float, level: float, step: float) -> tuple[Interval | None, float | None]:
    interval = mean_interval([value - number for value in values], level, step=step)
    error = max(stdev(values), step / sqrt(12)) / sqrt(len(values))
    if not error:
        return None, None
    return interval, two_sided_p((fmean(values) - number) / error, len(values) - 1)


def _by_images(value: float, number: float, n: int | None, level: float) -> tuple[Interval | None, float | None]:
    if not n or not 0 <= value <= 1:
        return None, None
    wilson_interval = wilson(round(value * n), n, level)
    if wilson_interval is None:
        return None, None
    interval = Interval(wilson_interval.low - number, wilson_interval.high - number, level, wilson_interval.method)
    if not 0 < number < 1:
        return interval, None
    # The score test, of which Wilson's interval holds every number that it does not refuse.
    z = abs(round(value * n) / n - number) / sqrt(number * (1 - number) / n)
    return interval, 2 * NormalDist().cdf(-z)


def compare_to_mean(
    values: Sequence[float],
    mean: float,
    std: float,
    n: int,
    *,
    level: float = LEVEL,
    higher_is_better: bool = True,
    unit: Unit = POINTS,
    tolerance: float | None = None,
    step: float = 0.0,
) -> ReferenceComparison:
    """Whether measured values are above or below a mean over ``n`` repeats with the standard deviation ``std``.

    Source: Welch, The generalization of Student's problem when several different population variances are involved,
    1947, with Satterthwaite's degrees of freedom. :func:`~cnnlab.evaluation.compare_to_number` is for a number whose
    spread is not known, and takes it as exact.

    :param values: of the repeats, two or more.
    :param tolerance: within which a result counts as reproduced, in the units of the values; without it, where the
        interval of the difference holds 0.
    :param step: in which the values are counted; see :func:`~cnnlab.evaluation.mean_interval`.
    """
    if len(values) < 2 or n < 2 or not std > 0:
        raise UsageError("two spreads are compared, which takes 2 repeats or more on both sides and a std above 0.")
    if tolerance is not None and not tolerance > 0:
        raise UsageError(f"a tolerance is more than 0; {tolerance} is not.")
    error, df = welch_satterthwaite((max(variance(values), step**2 / 12), std**2), (len(values), n))
    difference, half = fmean(values) - mean, t_quantile(level, df) * error
    method = f"Welch's t over {len(values)} and {n} repeats"
    interval = Interval(difference - half, difference + half, level, method)
    verdict = number_verdict(interval, higher_is_better, tolerance)
    return ReferenceComparison(fmean(values), mean, interval, two_sided_p(difference / error, df), verdict, unit)
