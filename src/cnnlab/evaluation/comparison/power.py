"""How many repeats a difference needs to be seen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.anova import Array
from cnnlab.evaluation.comparison.multiple_comparisons import FamilyKind, LargestT, family_pairs
from cnnlab.evaluation.comparison.own_variances import prior_dfs
from cnnlab.evaluation.intervals import LEVEL
from cnnlab.evaluation.student_t import t_quantile

Assumed: TypeAlias = Literal["auto", "pooled"]
POWER = 0.8
MOST = 1000
_NORMAL = np.linspace(-9, 9, 3601)
_DENSITY = np.exp(-(_NORMAL**2) / 2)
_DENSITY /= _DENSITY.sum()
_DRAWS = 256


@dataclass(frozen=True)
class Spreads:
    """Variances between repeats: of the two settings compared, and ``mean`` what all settings have in common."""

    first: float
    second: float
    mean: float


def power(
    difference: float,
    std: float,
    repeats: int,
    *,
    settings: int = 2,
    family: FamilyKind = "baseline",
    level: float = LEVEL,
    blocked: bool = True,
    test: Assumed = "auto",
) -> float:
    """The probability that a true difference is called one, by the test of :func:`compare_settings`.

    :param difference: in the units of the metric.
    :param std: standard deviation between repeats of one setting, the effect of the seed taken out.
    :param repeats: of every setting.
    :param settings: how many are compared.
    :param family: whether each is compared with one ``baseline``, or ``all`` with one another.
    :param test: ``auto``, by which each setting has a variance of its own, or ``pooled``.
    """
    _check(std, settings)
    if repeats < 2:
        return 0.0
    if test == "auto":
        spreads = Spreads(std**2, std**2, std**2)
        single = 1 - (1 - level) / len(family_pairs(settings, family))
        return power_by_own_variances(difference, spreads, repeats, settings=settings, level=single, blocked=blocked)
    df = (settings - blocked) * (repeats - 1)
    return power_of_t(abs(difference) / (std * sqrt(2 / repeats)), df, _critical(settings, family, level, df))


def required_repeats(
    difference: float,
    std: float,
    *,
    settings: int = 2,
    family: FamilyKind = "baseline",
    level: float = LEVEL,
    promised: float = POWER,
    blocked: bool = True,
    test: Assumed = "auto",
    most: int = MOST,
) -> int | None:
    """The fewest repeats of each setting with which a difference is seen at the promised power.

    :param difference: as for :func:`power`, like the other arguments.
    :param promised: the probability that it is seen.
    :returns: None when it takes more than ``most``, as for no difference at all.
    """
    _check(std, settings)

    def power_of(repeats: int) -> float:
        return power(
            difference, std, repeats, settings=settings, family=family, level=level, blocked=blocked, test=test
        )

    return fewest(power_of, promised, most)


def fewest(power_of: Callable[[int], float], wanted: float = POWER, most: int = MOST) -> int | None:
    """The smallest number from 2 on at which a growing power reaches what is wanted."""
    low, high = 1, 2
    while not power_of(high) >= wanted:
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        between = (low + high) // 2
        low, high = (low, between) if power_of(between) >= wanted else (between, high)
    return high


def power_of_t(shift: float, df: float, critical: float) -> float:
    """The probability that a noncentral t goes beyond the critical value on either side.

    By integration over its normal part: the distribution functions that libraries have for it lose their digits far
    out, and give no number at all where the power comes near 1.
    """
    beyond = special.gammainc(df / 2, df / 2 * ((_NORMAL + shift) / critical) ** 2)
    return float(np.clip(beyond @ _DENSITY, 0.0, 1.0))


def power_by_own_variances(
    difference: float, spreads: Spreads, repeats: int, *, settings: int, level: float, blocked: bool
) -> float:
    """The power of the moderated t of :mod:`own_variances`, by integration over the variances that repeats would show.

    :param level: of this difference by itself.
    """
    if settings == 2 and blocked:
        error = sqrt((spreads.first + spreads.second) / repeats)
        return power_of_t(abs(difference) / error, repeats - 1, t_quantile(level, repeats - 1))
    sizes = np.full(settings, repeats)
    prior = prior_dfs(sizes)[0]
    df = (repeats - 1) * (1 - blocked / settings)
    first, second, others = _drawn_variances(df, (settings - 2) * df)
    rest = max(settings * spreads.mean - spreads.first - spreads.second, 0.0)
    seen_first, seen_second = spreads.first * first, spreads.second * second
    mean = (seen_first + seen_second + rest * others) / settings
    own = repeats - 1
    steadied = [(own * seen + prior * mean) / (own + prior) for seen in (seen_first, seen_second)]
    total = steadied[0] + steadied[1]
    freedom = np.maximum(total**2 * (df + prior) / (steadied[0] ** 2 + steadied[1] ** 2), own * blocked)
    true = spreads.first + spreads.second
    critical = special.stdtrit(freedom, 0.5 + level / 2) * np.sqrt(total / true)
    shift = abs(difference) / sqrt(true / repeats)
    return float(np.mean(special.ndtr(shift - critical) + special.ndtr(-shift - critical)))


@lru_cache(maxsize=4096)
def _drawn_variances(df: float, df_of_others: float) -> tuple[Array, Array, Array]:
    """Sample variances of two settings and of all others, in units of the true ones, at quasi-random points."""
    from scipy.stats import qmc

    points = qmc.Sobol(3, scramble=True, rng=0).random(_DRAWS).T
    freedoms = (df, df, df_of_others)
    first, second, others = (
        special.gammaincinv(free / 2, u) / (free / 2) if free else np.ones(_DRAWS)
        for free, u in zip(freedoms, points, strict=True)
    )
    return first, second, others


@lru_cache(maxsize=4096)
def _critical(settings: int, family: FamilyKind, level: float, df: int) -> float:
    return LargestT(family_pairs(settings, family), np.eye(settings)).critical(level, df)


def _check(std: float, settings: int) -> None:
    if not std > 0:
        raise UsageError(f"a standard deviation between repeats is more than 0; {std} is not.")
    if settings < 2:
        raise UsageError("a comparison needs two settings or more.")
