"""The exact permutation test of paired repeats: of settings that are alike, each difference might be its opposite."""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cnnlab.evaluation.intervals import Interval, last_held

Array: TypeAlias = npt.NDArray[np.float64]
_MOST = 16
_DRAWS = 50_000
_ROUNDING = 1e-9


def smallest_p(repeats: int) -> float:
    """The smallest two-sided p-value that so many pairs can give: all differences of one sign."""
    return 1.0 if repeats < 1 else 2.0 ** (1 - repeats)


def sign_flip_p(differences: Array) -> float:
    """Two-sided p-value of the mean difference over all changes of sign (Fisher, The Design of Experiments, 1935).

    All of them are gone through up to 16 pairs; beyond, 50,000 drawn once and for all stand for them, the one observed
    among them, which keeps the test valid.
    """
    sums = np.abs(_signs(len(differences)) @ differences)
    observed = abs(float(differences.sum()))
    # The sums come in another order than the observed one, and equal ones may differ by rounding.
    return float((sums >= observed - _ROUNDING * float(np.abs(differences).sum())).mean())


def sign_flip_interval(differences: Array, level: float) -> Interval | None:
    """The shifts of all differences that the test does not refuse.

    :returns: None when there are too few pairs for any to be refused.
    """
    if smallest_p(len(differences)) > 1 - level:
        return None
    middle = float(differences.mean())
    reach = 2 * float(np.abs(differences - middle).max())

    def is_held(shift: float) -> bool:
        return sign_flip_p(differences - shift) > 1 - level

    low, high = (last_held(is_held, middle, middle + side * reach) for side in (-1, 1))
    return Interval(low, high, level, "permutation", "repeats")


@lru_cache(maxsize=8)
def _signs(count: int) -> Array:
    """Changes of sign, a row each; the first is none. The opposite of each gives the same |sum| and is left out."""
    if count <= _MOST:
        bits = (np.arange(2 ** (count - 1))[:, None] >> np.arange(count)) & 1
        return np.asarray(1.0 - 2.0 * bits)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(_DRAWS, count))
    signs[0] = 1.0
    return signs
