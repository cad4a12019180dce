"""Measured values against a reference: a published number, a level that is claimed, or a mean with its own spread."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from statistics import NormalDist, fmean, variance
from typing import Any, Literal, TypeAlias

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.results import p_text
from cnnlab.evaluation.intervals import LEVEL, Interval, least_variance, mean_interval, wilson
from cnnlab.evaluation.student_t import VariancePart, separate_t_half_width, separate_t_p, t_quantile, two_sided_p
from cnnlab.evaluation.units import POINTS, Unit

ReferenceVerdict: TypeAlias = Literal["better", "worse", "reproduced", "compatible", "untested"]
_ONE_TELLS_NOTHING = "one training tells nothing of how trainings differ"
_NO_SPREAD = "the repeats do not vary, so there is nothing to measure a difference against"
_WORDS = {
    "compatible": "compatible, too few repeats to say more",
    "untested": "not tested",
}


@dataclass(frozen=True)
class ReferenceComparison:
    """The mean of measured values beside a number that is taken as exact.

    :param interval: of the difference, mean minus number. Of a single run it is that of this very classifier on other
        pictures, and no interval of its recipe.
    :param verdict: ``reproduced``: the interval lies within the tolerance, both ends of it, which is an equivalence
        test; ``better`` or ``worse`` than the number; ``compatible``: the number lies in the interval, and too few
        repeats were made to say more; ``untested``: for the reason in ``why``.
    :param tolerance: within which a result counts as reproduced; None where nothing can.
    """

    mean: float | None
    number: float
    interval: Interval | None
    p_value: float | None
    verdict: ReferenceVerdict
    unit: Unit
    tolerance: float | None = None
    why: str = ""

    @property
    def difference(self) -> float | None:
        """Mean minus number."""
        return None if self.mean is None else self.mean - self.number

    @property
    def sentence(self) -> str:
        """The verdict in words, with the numbers behind it."""
        if self.mean is None or self.difference is None:
            return "not measured: there are no values."
        parts = [self.unit.signed(self.difference)]
        if self.interval is not None:
            levels = () if self.tolerance is None else (-self.tolerance, self.tolerance)
            ends = self.unit.range(
                self.interval.low, self.interval.high, sign=True, against=levels, around=self.difference
            )
            parts.append(f"{self.interval.level * 100:g}% interval {ends}")
        if self.p_value is not None:
            parts.append(p_text(self.p_value))
        words = _WORDS.get(self.verdict, self.verdict)
        if self.verdict == "reproduced" and self.tolerance is not None:
            words = f"reproduced within {self.unit.text(self.tolerance)}"
        return f"{words} ({', '.join(parts)}){self.why and f': {self.why}'}."

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        names = ("mean", "number", "difference", "p_value", "verdict", "tolerance", "why")
        facts = {name: getattr(self, name) for name in names}
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
    within: tuple[float, float] | None = None,
    single: bool = False,
) -> ReferenceComparison:
    """Whether measured values are above or below a number, or agree with it.

    :param values: of the repeats; two or more are tested by Student's one-sample t. One is not tested: it tells nothing
        of how trainings differ.
    :param tolerance: within which a result counts as reproduced, in the units of the values: the whole interval must
        lie within it on either side of the number, so a result that is farther off passes in 2.5% of cases at the most
        (two one-sided tests, Schuirmann, 1987). Without a tolerance nothing is ever reproduced, only compatible.
    :param n: pictures that one value is a share of, for its Wilson interval.
    :param step: in which the values are counted; see :func:`~cnnlab.evaluation.mean_interval`.
    :param within: what a value can be at all, such as (0, 1): the interval goes no farther.
    :param single: the number is of one training, which is taken to scatter as the values do and not as exact: the
        interval holds the difference to one more value like these in 95% of cases (a prediction interval).
    """
    _check_tolerance(tolerance)
    finite = [float(value) for value in values if isfinite(value)]
    if not finite:
        return ReferenceComparison(None, number, None, None, "untested", unit, why="there are no values")
    mean = fmean(finite)
    if len(finite) < 2:
        interval, p = _by_images(mean, number, n, level)
        return ReferenceComparison(mean, number, interval, p, "untested", unit, tolerance, _ONE_TELLS_NOTHING)
    interval, p = _by_t(finite, number, level, step, single)
    if interval is None:
        return ReferenceComparison(mean, number, None, None, "untested", unit, tolerance, _NO_SPREAD)
    interval = _clipped(interval, number, within)
    verdict = number_verdict(interval, higher_is_better, tolerance)
    return ReferenceComparison(mean, number, interval, p, verdict, unit, tolerance)


def number_verdict(interval: Interval, higher_is_better: bool, tolerance: float | None) -> ReferenceVerdict:
    """What the interval of the difference says of it."""
    if tolerance is not None and -tolerance <= interval.low and interval.high <= tolerance:
        return "reproduced"
    if 0 in interval:
        return "compatible"
    return "better" if (interval.low > 0) == higher_is_better else "worse"


def _check_tolerance(tolerance: float | None) -> None:
    if tolerance is not None and not tolerance > 0:
        raise UsageError(f"a tolerance is more than 0; {tolerance} is not.")


def _clipped(interval: Interval, number: float, within: tuple[float, float] | None) -> Interval:
    return interval if within is None else interval.within(within[0] - number, within[1] - number)


def _by_t(
    values: list[float], number: float, level: float, step: float, single: bool
) -> tuple[Interval | None, float | None]:
    difference, count = fmean(values) - number, len(values)
    error = sqrt(max(variance(values), least_variance(step)) * (1 / count + single))
    if not error:
        return None, None
    p = two_sided_p(difference / error, count - 1)
    if not single:
        return mean_interval([value - number for value in values], level, step=step), p
    half = t_quantile(level, count - 1) * error
    method = f"t over {count} repeats, for one more like them"
    return Interval(difference - half, difference + half, level, method, "repeats"), p


def _by_images(value: float, number: float, n: int | None, level: float) -> tuple[Interval | None, float | None]:
    if not n or not 0 <= value <= 1:
        return None, None
    wilson_interval = wilson(round(value * n), n, level)
    if wilson_interval is None:
        return None, None
    interval = replace(wilson_interval, low=wilson_interval.low - number, high=wilson_interval.high - number)
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
    within: tuple[float, float] | None = None,
) -> ReferenceComparison:
    """Whether measured values are above or below a mean over ``n`` repeats with the standard deviation ``std``.

    Each side has Student's interval by its own spread, and the squares of their half-widths add up
    (:func:`~cnnlab.evaluation.student_t.separate_t_half_width`): equal recipes are called different in 5% of cases at
    the most, also with two repeats, for which Welch's test errs in up to 12%.
    :func:`~cnnlab.evaluation.compare_to_number` is for a number whose spread is not known, and takes it as exact.

    :param values: of the repeats, two or more.
    :param tolerance: within which a result counts as reproduced, as for ``compare_to_number``.
    :param step: in which the values are counted; see :func:`~cnnlab.evaluation.mean_interval`.
    :param within: what a value can be at all, such as (0, 1): the interval goes no farther.
    """
    if len(values) < 2 or n < 2 or not std > 0:
        raise UsageError("two spreads are compared, which takes 2 repeats or more on both sides and a std above 0.")
    _check_tolerance(tolerance)
    ours = max(variance(values), least_variance(step))
    parts = [VariancePart(v / count, count - 1) for v, count in ((ours, len(values)), (std**2, n))]
    difference, half = fmean(values) - mean, separate_t_half_width(parts, level)
    method = f"t of each side, over {len(values)} and {n} repeats, their squares added"
    interval = _clipped(Interval(difference - half, difference + half, level, method, "repeats"), mean, within)
    verdict = number_verdict(interval, higher_is_better, tolerance)
    p = separate_t_p(difference, parts)
    return ReferenceComparison(fmean(values), mean, interval, p, verdict, unit, tolerance)
