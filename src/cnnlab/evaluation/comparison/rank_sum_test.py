"""Two settings by ranks alone: where some repeats have no number, but are known to be beyond all that have one."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import UsageError

Array: TypeAlias = npt.NDArray[np.float64]
_MOST = 20_000
"""Ways to divide the values among the settings up to which all of them are looked at; of more, so many at random."""
_SLACK = 1e-9


@dataclass(frozen=True)
class RankSumResult:
    """The first of two settings against the second.

    :param p_value: of the rank-sum test, two-sided.
    :param is_higher: whether the first ranks higher on average; None where they rank alike.
    :param beyond: of the first and of the second, how many repeats have no number.
    :param counts: of repeats, likewise.
    """

    p_value: float
    is_higher: bool | None
    beyond: tuple[int, int]
    counts: tuple[int, int]


def compare_ranks(first: Sequence[float], second: Sequence[float]) -> RankSumResult:
    """The rank-sum test of Wilcoxon (1945), by permutation, so that ties are no trouble.

    :param first: values of the repeats; infinity for one that is beyond every number, such as a level never reached.
    :raises UsageError: where one of them has no repeats.
    """
    if not first or not second:
        raise UsageError("ranks are compared of two settings that have repeats.")
    from scipy.stats import rankdata

    ranks, count = rankdata([*first, *second]), len(first)
    shift = float(ranks[:count].mean() - ranks.mean())
    is_higher = None if abs(shift) < _SLACK else shift > 0
    beyond = (list(first).count(inf), list(second).count(inf))
    return RankSumResult(_p_value(ranks[:count], ranks[count:]), is_higher, beyond, (count, len(second)))


def _p_value(first: Array, second: Array) -> float:
    """The share of the ways to divide these ranks that part the two as far as they are, either way."""
    from scipy.stats import permutation_test

    ranks = np.concatenate([first, second])
    middle = ranks.mean()
    if min(len(first), len(second)) == 1:
        # Any of the ranks might be the one that stands alone. The test of scipy takes two or more of each.
        alone = first[0] if len(first) == 1 else second[0]
        return float((np.abs(ranks - middle) >= abs(alone - middle) - _SLACK).mean())

    def apart(of_first: Array, of_second: Array, axis: int) -> Array:
        distance: Array = np.abs(of_first.mean(axis=axis) - middle)
        return distance

    draws = np.random.default_rng(0)
    tested = permutation_test((first, second), apart, n_resamples=_MOST, alternative="greater", rng=draws)
    return float(tested.pvalue)
