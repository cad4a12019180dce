"""Student's t distribution, and Welch's difference of two means with spreads of their own."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, variance

from cnnlab.core.errors import UsageError


def t_quantile(level: float, df: float) -> float:
    """What Student's t exceeds in size with probability 1 - level.

    :raises UsageError: for a level that is none.
    """
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + checked_level(level) / 2))


def two_sided_p(t: float, df: float) -> float:
    """The two-sided p-value of one t statistic."""
    from scipy.special import stdtr

    return 2 * float(stdtr(df, -abs(t)))


def welch(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """Difference of two means, its standard error, and Welch's degrees of freedom; two values or more on each side."""
    error, df = welch_satterthwaite((variance(first), variance(second)), (len(first), len(second)))
    return fmean(first) - fmean(second), error, df


def welch_satterthwaite(variances: tuple[float, float], counts: tuple[int, int]) -> tuple[float, float]:
    """The standard error of a difference of two means, and its degrees of freedom.

    Welch, The generalization of Student's problem when several different population variances are involved (1947).

    :param counts: of the values behind each variance.
    """
    parts = [spread / count for spread, count in zip(variances, counts, strict=True)]
    crossed = sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
    df = sum(parts) ** 2 / crossed if crossed else float(sum(counts) - 2)
    return sqrt(sum(parts)), df


def checked_level(level: float) -> float:
    """The level of an interval.

    :raises UsageError: where it does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise UsageError(f"the level of an interval lies between 0 and 1, as 0.95 does; {level} does not.")
    return level
