"""Whether one thing scatters more than another over the same repeats: the ratio of two standard deviations.

An ensemble and its member share their repeat, and the member is a part of the ensemble, so their scores go up and down
together, and tests of two independent samples (F, Levene, Brown and Forsythe) do not hold. Pitman (*A note on normal
correlation*, 1939) and Morgan (*A test for the significance of the difference between the two variances in a sample
from a normal bivariate population*, 1939) test whether sum and difference of the pairs are correlated, which they are
where the variances differ: exact for pairs of normal numbers, however these are correlated. Its interval is that of all
ratios which the test does not reject. A permutation within pairs supposes less, and with five pairs can come to no
p-value under 6%.

Of numbers that are not normal it is too bold where their tails are heavy and too careful where they are light, as all
tests of variances are that tell anything of five numbers; ``benchmarks/spread_ratio.py`` measures by how much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from cnnlab.core.errors import UsageError
from cnnlab.core.number_text import fixed
from cnnlab.evaluation.comparison.results import p_text
from cnnlab.evaluation.student_t import checked_level, t_quantile, two_sided_p

LEAST = 3
"""Pairs that it takes."""
_ROUNDING = 1e-12


@dataclass(frozen=True)
class SpreadRatio:
    """The ratio of two standard deviations over pairs of numbers.

    :param ratio: of the first over the second.
    :param low: lower end of its interval; 0 where nothing bounds it, and ``high`` infinity.
    :param p_value: of equal spreads; two-sided.
    :param correlation: of the pairs.
    :param level: of the interval.
    """

    ratio: float
    low: float
    high: float
    p_value: float
    correlation: float
    n: int
    level: float

    @property
    def sentence(self) -> str:
        """The ratio with its interval and p-value."""
        ends = f"{self.level:.0%} interval {fixed(self.low, 2)} to {fixed(self.high, 2)}"
        return f"ratio of SDs {fixed(self.ratio, 2)} ({ends}, {p_text(self.p_value)}, n={self.n})"


def spread_ratio(first: Sequence[float], second: Sequence[float], level: float = 0.95) -> SpreadRatio:
    """By the test of Pitman and Morgan.

    :param first: numbers of at least three repeats; ``second`` of the same ones.
    :raises UsageError: for fewer, for unlike many, or where one of the two does not vary at all.
    """
    checked_level(level)
    pairs = np.array([first, second], dtype=float) if len(first) == len(second) else np.empty((2, 0))
    count = pairs.shape[1]
    if count < LEAST:
        raise UsageError(f"a ratio of spreads takes {LEAST} pairs of numbers or more, and there are {count}.")
    centred = pairs - pairs.mean(axis=1, keepdims=True)
    one, other = np.sqrt((centred**2).sum(axis=1))
    if min(one, other) <= _ROUNDING * max(1.0, float(np.abs(pairs).max())):
        raise UsageError("one of the two is the same in every repeat, so there is no spread to set against the other.")
    correlation = float(np.clip(centred[0] @ centred[1] / (one * other), -1, 1))
    ratio, df = float(one / other), count - 2
    # 1 - r² of sum and difference, times a factor that both share.
    apart = 4 * (1 - correlation**2) * ratio**2
    t = 0.0 if ratio == 1 else float("inf") if apart == 0 else (ratio**2 - 1) * sqrt(df / apart)
    wide = 1 + 2 * (1 - correlation**2) * t_quantile(level, df) ** 2 / df
    factor = sqrt(wide + sqrt(wide**2 - 1))
    return SpreadRatio(ratio, ratio / factor, ratio * factor, two_sided_p(t, df), correlation, count, level)


def usual_ratio(n: int, level: float = 0.95) -> float:
    """Up to which factor two standard deviations differ by chance with this probability.

    They are of ``n`` normal numbers each, independent and from two things that scatter alike: the square root of a
    quantile of F.
    """
    from scipy.special import fdtri

    return float(np.sqrt(fdtri(n - 1, n - 1, 0.5 + checked_level(level) / 2)))
