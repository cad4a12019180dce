"""Measured values against a published mean of which the spread over repeats is known too."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, variance

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.against import AgainstNumber, number_verdict
from cnnlab.evaluation.intervals import LEVEL, Interval, t_quantile
from cnnlab.evaluation.units import POINTS, Unit


def against_summary(
    values: Sequence[float],
    mean: float,
    sd: float,
    n: int,
    *,
    level: float = LEVEL,
    higher_is_better: bool = True,
    unit: Unit = POINTS,
    tolerance: float | None = None,
    step: float = 0.0,
) -> AgainstNumber:
    """Whether measured values are above or below a mean over ``n`` repeats with the standard deviation ``sd``.

    Source: Welch, The generalization of Student's problem when several different population variances are involved,
    1947, with Satterthwaite's degrees of freedom. :func:`~cnnlab.evaluation.against_number` is for a number whose
    spread is not known, and takes it as exact.

    :param values: of the repeats, two or more.
    :param tolerance: within which a result counts as reproduced, in the units of the values; without it, where the
        interval of the difference holds 0.
    :param step: in which the values are counted; see :func:`~cnnlab.evaluation.mean_interval`.
    """
    if len(values) < 2 or n < 2 or not sd > 0:
        raise UsageError("two spreads are compared, which takes 2 repeats or more on both sides and an sd above 0.")
    if tolerance is not None and not tolerance > 0:
        raise UsageError(f"a tolerance is more than 0; {tolerance} is not.")
    ours, theirs = max(variance(values), step**2 / 12) / len(values), sd**2 / n
    error = sqrt(ours + theirs)
    df = (ours + theirs) ** 2 / (ours**2 / (len(values) - 1) + theirs**2 / (n - 1))
    difference, half = fmean(values) - mean, t_quantile(level, df) * error
    method = f"Welch's t over {len(values)} and {n} repeats"
    interval = Interval(difference - half, difference + half, level, method)
    verdict = number_verdict(interval, higher_is_better, tolerance)
    return AgainstNumber(fmean(values), mean, interval, _two_sided(difference / error, df), verdict, unit)


def _two_sided(t: float, df: float) -> float:
    from scipy.special import stdtr

    return 2 * float(stdtr(df, -abs(t)))
