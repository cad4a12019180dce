"""How many repeats a difference needs to be seen."""

from collections.abc import Callable
from functools import lru_cache
from math import sqrt

import numpy as np

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.multiple_comparisons import FamilyKind, LargestT, family_pairs
from cnnlab.evaluation.intervals import LEVEL

POWER = 0.8
MOST = 1000
_CERTAIN = 8.0


def power(
    difference: float,
    std: float,
    repeats: int,
    *,
    settings: int = 2,
    family: FamilyKind = "baseline",
    level: float = LEVEL,
    blocked: bool = True,
) -> float:
    """The probability that a true difference is called one, by the test of :func:`compare_settings`.

    By the noncentral t distribution, the critical value being that of the whole family of comparisons.

    :param difference: in the units of the metric.
    :param std: standard deviation between repeats of one setting, the effect of the seed taken out.
    :param repeats: of every setting.
    :param settings: how many of them share their variance.
    :param family: whether each is compared with one ``baseline``, or ``all`` with one another.
    """
    _check(std, settings)
    df = (settings - 1) * (repeats - 1) if blocked else settings * (repeats - 1)
    if df < 1:
        return 0.0
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
    most: int = MOST,
) -> int | None:
    """The fewest repeats of each setting with which a difference is seen at the promised power.

    :param difference: as for :func:`power`, like the other arguments.
    :param promised: the probability that it is seen.
    :returns: None when it takes more than ``most``, as for no difference at all.
    """
    _check(std, settings)
    return fewest(
        lambda repeats: power(difference, std, repeats, settings=settings, family=family, level=level, blocked=blocked),
        promised,
        most,
    )


def fewest(power_of: Callable[[int], float], wanted: float = POWER, most: int = MOST) -> int | None:
    """The smallest number from 2 on at which a growing power reaches what is wanted."""
    low, high = 1, 2
    while power_of(high) < wanted:
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        between = (low + high) // 2
        low, high = (low, between) if power_of(between) >= wanted else (between, high)
    return high


def power_of_t(shift: float, df: float, critical: float) -> float:
    """The probability that a noncentral t goes beyond the critical value on either side."""
    from scipy.stats import nct

    # Far beyond the critical value the distribution function loses its digits, and there is nothing to reckon.
    if shift > _CERTAIN * critical:
        return 1.0
    return float(np.clip(nct.sf(critical, df, shift) + nct.cdf(-critical, df, shift), 0.0, 1.0))


@lru_cache(maxsize=4096)
def _critical(settings: int, family: FamilyKind, level: float, df: int) -> float:
    return LargestT(family_pairs(settings, family), np.eye(settings)).critical(level, df)


def _check(std: float, settings: int) -> None:
    if not std > 0:
        raise UsageError(f"a standard deviation between repeats is more than 0; {std} is not.")
    if settings < 2:
        raise UsageError("a comparison needs two settings or more.")
