"""Many comparisons at once: the largest of several t statistics, and Holm's adjustment."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from cnnlab.evaluation.student_t import t_quantile, two_sided_p

Array: TypeAlias = npt.NDArray[np.float64]
Pairs: TypeAlias = tuple[tuple[int, int], ...]
FamilyKind: TypeAlias = Literal["baseline", "all"]
_POINTS = 2**15
_MANY = 200
_POINTS_OF_MANY = 2**13
_TAIL = 512
_GROUP = 64


class LargestT:
    """The distribution of the largest |t| over several differences of settings, when no two settings differ.

    With every setting against one it is Dunnett's, among all pairs Tukey's, and for settings known with unequal
    precision the multivariate t distribution that generalises both (Hothorn, Bretz and Westfall, Simultaneous
    Inference in General Parametric Models, 2008). The normal part is integrated over fixed quasi-random points and
    the common variance in closed form, so that equal calls give equal numbers; p-values are right to about 0.0005.

    :param pairs: the differences, each as the places of two settings.
    :param covariance: K×K of the settings' effects, up to a factor.
    """

    def __init__(self, pairs: Pairs, covariance: Array) -> None:
        self.count = len(pairs)
        self._maxima, self._weights = _maxima(pairs, *_key(covariance)) if self.count > 1 else (np.empty(0),) * 2

    def p_value(self, t: float, df: float) -> float:
        """The probability that any of them is as large as ``t``, with so many degrees of freedom of the variance."""
        single = two_sided_p(t, df)
        if self.count == 1 or t == 0:
            return single
        p = float(special.chdtr(df, df * (self._maxima / abs(t)) ** 2) @ self._weights)
        # Far out in the tail the points are few; these bounds hold of the true value.
        return min(max(p, single), 1.0, self.count * single)

    def critical(self, level: float, df: float) -> float:
        """What the largest |t| exceeds with probability 1 - level."""
        from scipy.optimize import brentq

        low = t_quantile(level, df)
        if self.count == 1:
            return low
        high = t_quantile(1 - (1 - level) / self.count, df)
        if self.p_value(high, df) > 1 - level or self.p_value(low, df) <= 1 - level:
            return high
        return float(brentq(lambda t: self.p_value(t, df) - (1 - level), low, high, xtol=1e-7))


def family_pairs(count: int, family: FamilyKind, baseline: int = 0) -> Pairs:
    """The differences of a family: each other setting against the baseline, or each later setting against each."""
    if family == "baseline":
        return tuple((place, baseline) for place in range(count) if place != baseline)
    return tuple((later, earlier) for earlier in range(count) for later in range(earlier + 1, count))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (1979), valid whatever depends on what; NaN stays NaN and counts for nothing."""
    known = sorted((p, place) for place, p in enumerate(p_values) if not np.isnan(p))
    adjusted = [float("nan")] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[place] = largest
    return adjusted


def _key(covariance: Array) -> tuple[bytes, int]:
    """What of a covariance matters to differences, as something that hashes."""
    count = len(covariance)
    centring = np.eye(count) - 1 / count
    matrix = centring @ covariance @ centring
    # Adding zero makes a negative zero a plain one.
    return (np.round(matrix / np.trace(matrix), 10) + 0.0).tobytes(), count


@lru_cache(maxsize=32)
def _maxima(pairs: Pairs, covariance: bytes, count: int) -> tuple[Array, Array]:
    """The largest standardised difference in many quasi-random draws of the settings' effects, and weights of these."""
    from scipy.stats import qmc

    matrix = np.frombuffer(covariance).reshape(count, count)
    values, vectors = np.linalg.eigh(matrix)
    points = _POINTS if len(pairs) <= _MANY else _POINTS_OF_MANY
    uniform = qmc.Sobol(count, scramble=True, rng=0).random(points).clip(1e-12, 1 - 1e-12)
    effects = (vectors * np.sqrt(values.clip(0))) @ special.ndtri(uniform).T
    largest = np.zeros(points)
    for first, second in pairs:
        deviation = np.sqrt(matrix[first, first] + matrix[second, second] - 2 * matrix[first, second])
        np.maximum(largest, np.abs(effects[first] - effects[second]) / deviation, out=largest)
    return _condensed(np.sort(largest))


def _condensed(ordered: Array) -> tuple[Array, Array]:
    """Neighbours replaced by their mean, but for those in the tail: few of the points for the same integral."""
    cut = len(ordered) - _TAIL
    values = np.concatenate([ordered[:cut].reshape(-1, _GROUP).mean(axis=1), ordered[cut:]])
    weights = np.concatenate([np.full(cut // _GROUP, _GROUP), np.ones(_TAIL)]) / len(ordered)
    return values, weights
