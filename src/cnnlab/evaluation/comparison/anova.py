"""The additive model behind a comparison of settings: a value is its setting's effect plus its seed's plus noise."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.intp]
ROUNDING = 1e-10
"""A spread below this share of the values is none."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The values there are, and what each is the sum of.

    :param design: N×(K+B-1), or N×K without blocks: a column a setting, then one for each seed but the first.
    :param observed: N values, less ``middle``: sums of squares of small differences around a large value lose digits.
    :param settings: of each value, the place of its setting.
    :param is_tied: whether seeds tie all settings together, so that every difference can be told.
    """

    design: Array
    observed: Array
    middle: float
    settings: Places
    count: int
    is_tied: bool

    def leverages(self, weights: Array) -> tuple[Array, Array]:
        """How much of each value the weighted fit takes from that value itself; and the inverse of X'WX.

        A pseudoinverse where some settings are tied to others by no seed: then only differences between those that are
        tied mean something.
        """
        weighted = self.design * weights[:, None]
        squares = weighted.T @ self.design
        inverse = np.linalg.inv(squares) if self.is_tied else np.linalg.pinv(squares, hermitian=True)
        leverages: Array = ((self.design @ inverse) * weighted).sum(axis=1)
        return leverages, np.asarray(inverse, dtype=np.float64)

    def residuals(self, inverse: Array, weights: Array) -> tuple[Array, Array]:
        """Of the weighted fit, and the settings' effects."""
        solution = inverse @ (self.design.T @ (weights * self.observed))
        return self.observed - self.design @ solution, solution[: self.count] + self.middle


def lay_out(values: Array, *, blocked: bool) -> Layout:
    """The values of a table as a list.

    :param values: B×K with at least one value in each column; NaN is a value that is not there.
    """
    rows, columns = np.nonzero(np.isfinite(values))
    count = values.shape[1]
    present, places = np.unique(rows, return_inverse=True)
    design = np.zeros((len(rows), count + (len(present) - 1 if blocked else 0)))
    design[np.arange(len(rows)), columns] = 1
    if blocked:
        later = places > 0
        design[np.flatnonzero(later), count + places[later] - 1] = 1
    observed = values[rows, columns]
    middle = float(observed.mean())
    is_tied = not blocked or np.linalg.matrix_rank(design) == design.shape[1]
    return Layout(design, observed - middle, middle, columns, count, bool(is_tied))


@dataclass(frozen=True, eq=False)
class AdditiveFit:
    """A fitted model in which all settings have one variance.

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


def fit_additive(values: Array, *, blocked: bool = True, floor: float = 0.0) -> AdditiveFit:
    """Least squares on seeds × settings; NaN is a value that is not there.

    With no value missing this is the blocked analysis of variance.

    :param values: B×K with at least one value in each column.
    :param floor: the least that the variance is taken to be.
    """
    layout = lay_out(values, blocked=blocked)
    equal = np.ones(len(layout.observed))
    leverages, inverse = layout.leverages(equal)
    residuals, effects = layout.residuals(inverse, equal)
    # The leverages sum up to the rank of the design.
    df = len(equal) - round(leverages.sum())
    variance = max(float(residuals @ residuals / df), floor) if df > 0 else 0.0
    if np.sqrt(variance) <= ROUNDING * max(float(np.nanmax(np.abs(values))), 1e-300):
        variance = 0.0
    return AdditiveFit(effects, inverse[: layout.count, : layout.count], variance, df, blocked)
