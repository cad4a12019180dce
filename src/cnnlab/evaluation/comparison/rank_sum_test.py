"""Two settings by ranks alone: where some repeats have no number, but are known to be beyond all that have one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, inf

import numpy as np

from cnnlab.core.errors import UsageError

_MOST = 20_000
"""Ways to divide the values among the settings up to which all of them are looked at."""
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

    ranks = rankdata([*first, *second])
    sums = _sums(ranks, len(first))
    middle, seen = ranks.mean() * len(first), ranks[: len(first)].sum()
    p = float(np.mean(np.abs(sums - middle) >= abs(seen - middle) - _SLACK))
    beyond = tuple(sum(value == inf for value in values) for values in (first, second))
    is_higher = None if abs(seen - middle) < _SLACK else bool(seen > middle)
    return RankSumResult(p, is_higher, beyond, (len(first), len(second)))  # type: ignore[arg-type]


def _sums(ranks: "np.ndarray[tuple[int], np.dtype[np.float64]]", count: int) -> "np.typing.NDArray[np.float64]":
    """The sum of ranks of the first setting for every way to divide them, or for many drawn at random."""
    whole = len(ranks)
    if comb(whole, count) <= _MOST:
        return np.array([ranks[list(places)].sum() for places in combinations(range(whole), count)])
    draws = np.random.default_rng(0)
    drawn = [draws.permutation(ranks)[:count].sum() for _ in range(_MOST)]
    # What was seen is one of the ways too, so that no p-value is 0.
    return np.array([*drawn, ranks[:count].sum()])
