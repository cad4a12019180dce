"""How many repeats a difference needs to be seen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.anova import Array
from cnnlab.evaluation.comparison.multiple_comparisons import FamilyKind, LargestT, family_pairs
from cnnlab.evaluation.comparison.own_variances import balanced_variances, prior_dfs, steady
from cnnlab.evaluation.intervals import LEVEL
from cnnlab.evaluation.student_t import t_quantile

Assumed: TypeAlias = Literal["auto", "pooled"]
POWER = 0.8
MOST = 1000
_NORMAL = np.linspace(-9, 9, 3601)
_DENSITY = np.exp(-(_NORMAL**2) / 2)
_DENSITY /= _DENSITY.sum()
_MOST_DRAWS, _FEWEST_DRAWS, _NUMBERS = 512, 64, 2**17
"""Of studies, from which the power is reckoned: as many as have so many numbers together."""


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

    single = 1 - (1 - level) / len(family_pairs(settings, family))
    return fewest(power_of, promised, most, near_fewest(difference, 2 * std**2, single, promised))


def fewest(power_of: Callable[[int], float], wanted: float = POWER, most: int = MOST, near: int = 2) -> int | None:
    """The smallest number from 2 on at which a growing power reaches what is wanted.

    :param near: where to look first.
    """
    low = high = min(max(near, 2), most)
    step = 1
    if power_of(high) >= wanted:
        while low > 1 and (low == high or power_of(low) >= wanted):
            low, high, step = max(low - step, 1), low, 2 * step
    else:
        while low == high or not power_of(high) >= wanted:
            if high >= most:
                return None
            low, high, step = high, min(high + step, most), 2 * step
    while high - low > 1:
        between = (low + high) // 2
        low, high = (low, between) if power_of(between) >= wanted else (between, high)
    return high


def near_fewest(difference: float, variance: float, level: float, wanted: float = POWER) -> int:
    """About how many repeats it takes, if variances were known.

    :param variance: of a difference between single repeats.
    """
    normal = special.ndtri(0.5 + level / 2) + special.ndtri(wanted)
    return 2 + ceil(min(variance * (normal / difference) ** 2, 1e9)) if difference else MOST


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
    true = spreads.first + spreads.second
    if settings == 2 and blocked:
        return power_of_t(abs(difference) / sqrt(true / repeats), repeats - 1, t_quantile(level, repeats - 1))
    sizes, df = np.full(settings, repeats), repeats - 1
    rest = max(settings * spreads.mean - spreads.first - spreads.second, 0.0) / max(settings - 2, 1)
    variances = np.array([spreads.first, spreads.second, *[rest] * (settings - 2)])
    scales = np.sqrt(variances)
    squares = _drawn_squares(settings, df) * scales[:, None] * scales
    seen = balanced_variances(squares, df) if blocked else np.diagonal(squares, axis1=1, axis2=2) / df
    prior = prior_dfs(sizes)
    pair = steady(seen, sizes, prior)[:, :2]
    total = pair.sum(axis=1)
    known = df * (1 - blocked / settings) + prior[0]
    effective_df = np.maximum(total**2 * known / (pair**2).sum(axis=1), df * blocked)
    critical = special.stdtrit(effective_df, 0.5 + level / 2) * np.sqrt(total / true)
    shift = abs(difference) / sqrt(true / repeats)
    return float(np.mean(special.ndtr(shift - critical) + special.ndtr(-shift - critical)))


@lru_cache(maxsize=64)
def _drawn_squares(settings: int, df: int) -> Array:
    """N×K×K sums of squares and products about their means, of settings that scatter by one: draws after Wishart.

    By their factors (Bartlett, 1933), from the same random numbers for any number of repeats, so that the power grows
    evenly with it.
    """
    places = np.arange(min(settings, df))
    points, left = _points(settings), df - places
    factors = np.tril(special.ndtri(points), -1)[:, :, :df]
    factors[:, places, places] = np.sqrt(2 * special.gammaincinv(left / 2, points[:, places, places]))
    squares: Array = factors @ factors.transpose(0, 2, 1)
    return squares


@lru_cache(maxsize=64)
def _points(settings: int) -> Array:
    """N×K×K quasi-random numbers between 0 and 1, of which those above the diagonals do not count."""
    from scipy.stats import qmc

    draws = 2 ** int(np.clip(np.log2(_NUMBERS / settings**2), np.log2(_FEWEST_DRAWS), np.log2(_MOST_DRAWS)))
    points = np.full((draws, settings, settings), 0.5)
    rows, columns = np.tril_indices(settings)
    points[:, rows, columns] = qmc.Sobol(len(rows), scramble=True, rng=0).random(draws)
    return points


@lru_cache(maxsize=4096)
def _critical(settings: int, family: FamilyKind, level: float, df: int) -> float:
    return LargestT(family_pairs(settings, family), np.eye(settings)).critical(level, df)


def _check(std: float, settings: int) -> None:
    if not std > 0:
        raise UsageError(f"a standard deviation between repeats is more than 0; {std} is not.")
    if settings < 2:
        raise UsageError("a comparison needs two settings or more.")
