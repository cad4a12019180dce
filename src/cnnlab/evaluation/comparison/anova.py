"""The additive model behind a comparison of settings: a value is its setting's effect plus its seed's plus noise."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
_NOTHING = 1e-10


@dataclass(frozen=True, eq=False)
class AdditiveFit:
    """A fitted model.

    :param effects: K, one a setting; their differences are what counts.
    :param covariance: K×K of the effects, in units of the residual variance.
    :param variance: of the residuals, pooled over all settings; 0 where they have no spread beyond rounding, or no
        degrees of freedom.
    :param df: degrees of freedom of the residuals.
    :param is_blocked: whether seeds have effects of their own in it.
    """

    effects: Array
    covariance: Array
    variance: float
    df: int
    is_blocked: bool

    def difference(self, first: int, second: int) -> tuple[float, float]:
        """The difference of two settings, and its standard error."""
        part = self.covariance[first, first] + self.covariance[second, second] - 2 * self.covariance[first, second]
        return float(self.effects[first] - self.effects[second]), float(np.sqrt(self.variance * part))


def fit_additive(values: Array, *, blocked: bool = True) -> AdditiveFit:
    """Least squares on seeds × settings; NaN is a value that is not there.

    With no value missing this is the blocked analysis of variance. Where settings are not tied together by seeds that
    they share, seeds cannot have effects of their own and the one-way model is fitted instead.

    :param values: B×K with at least one value in each column.
    """
    blocked = blocked and is_connected(values)
    rows, columns = np.nonzero(np.isfinite(values))
    count = values.shape[1]
    present, places = np.unique(rows, return_inverse=True)
    design = np.zeros((len(rows), count + (len(present) - 1 if blocked else 0)))
    design[np.arange(len(rows)), columns] = 1
    if blocked:
        later = places > 0
        design[np.flatnonzero(later), count + places[later] - 1] = 1
    observed = values[rows, columns]
    # Sums of squares of small differences around a large value lose digits.
    middle = observed.mean()
    inverse = np.linalg.inv(design.T @ design)
    solution = inverse @ (design.T @ (observed - middle))
    residuals = observed - middle - design @ solution
    df = len(rows) - design.shape[1]
    variance = float(residuals @ residuals / df) if df > 0 else 0.0
    if np.sqrt(variance) <= _NOTHING * max(float(np.abs(observed).max()), 1e-300):
        variance = 0.0
    return AdditiveFit(solution[:count] + middle, inverse[:count, :count], variance, df, blocked)


def is_connected(values: Array) -> bool:
    """Whether every setting can be reached from every other over seeds that two settings share."""
    known = np.isfinite(values)
    reached = np.zeros(known.shape[1], dtype=bool)
    reached[0] = True
    while True:
        seeds = known[:, reached].any(axis=1)
        wider = known[seeds].any(axis=0) | reached
        if (wider == reached).all():
            return bool(reached.all())
        reached = wider
