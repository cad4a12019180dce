"""Settings that need not scatter alike: each one's own variance, the seeds' effects taken out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from cnnlab.evaluation.comparison.anova import ROUNDING, Array, Layout, fit_additive, lay_out
from cnnlab.evaluation.student_t import VariancePart

_ITERATIONS = 200
_SETTLED = 1e-4
_MOST_OF_MEDIAN = 4.0
_LEAST = 1e-6
"""A setting that scatters by less than this share of the most scattered one is weighed as if by that."""


@dataclass(frozen=True, eq=False)
class OwnVarianceFit:
    """The additive model with a variance for each setting.

    :param variances: K, of the noise of each setting's repeats, as estimated from them.
    :param steadied: K, those that standard errors are reckoned from: see :func:`steady`.
    :param dfs: K, the degrees of freedom that go with these.
    """

    variances: Array
    steadied: Array
    dfs: Array
    _combination: Array
    _layout: Layout

    def difference(self, one: int, other: int, shared: int) -> tuple[float, float, float]:
        """The difference of two settings, its standard error, and its degrees of freedom.

        These are Satterthwaite's (1946), and no fewer than the paired t test of the two alone has.

        :param shared: seeds that both have; 0 where seeds do not count.
        """
        combination, parts = self._parts(one, other)
        error = float(np.sqrt(parts.sum()))
        known = (parts > 0) & (self.dfs > 0)
        df = float(parts.sum() ** 2 / (parts[known] ** 2 / self.dfs[known]).sum()) if known.any() else 0.0
        return float(combination @ self._layout.observed), error, max(df, shared - 1.0)

    def sources(self, one: int, other: int) -> list[VariancePart]:
        """What each setting adds to the variance of their difference, where their repeats are independent."""
        _, parts = self._parts(one, other)
        return [VariancePart(float(parts[place]), float(self.dfs[place])) for place in np.flatnonzero(parts)]

    def _parts(self, one: int, other: int) -> tuple[Array, Array]:
        """How values are combined to the difference, and what each setting adds to its variance."""
        combination = self._combination[:, one] - self._combination[:, other]
        shares = np.bincount(self._layout.settings, combination**2, minlength=self._layout.count)
        return combination, shares * self.steadied


def fit_own_variances(values: Array, *, blocked: bool, floor: float = 0.0) -> OwnVarianceFit:
    """Weighted least squares, the variances by iterated almost unbiased estimation.

    A setting's variance is the sum of its squared residuals over its residual degrees of freedom, in a fit that weighs
    each setting by its variance, until both agree: restricted maximum likelihood (Horn, Horn and Duncan, Estimating
    heteroscedastic variances in linear models, 1975). With two settings and no value missing it is the paired t test,
    without blocks the column's sample variance.

    :param values: B×K with at least one value in each column; NaN is a value that is not there.
    :param floor: the least that a variance is taken to be.
    """
    layout = lay_out(values, blocked=blocked)
    sizes = np.bincount(layout.settings, minlength=layout.count).astype(float)
    variances = dfs = np.zeros(layout.count)
    for iteration in range(_ITERATIONS):
        weights = _weights(variances, layout)
        leverages, inverse = layout.leverages(weights)
        residuals, _ = layout.residuals(inverse, weights)
        free = np.bincount(layout.settings, 1 - leverages, minlength=layout.count)
        squares = np.bincount(layout.settings, residuals**2, minlength=layout.count)
        if iteration == 0:
            dfs = np.where(free > _LEAST, free, 0.0)
            # A setting that tells nothing of its own variance is taken to scatter as all do.
            mean = squares.sum() / dfs.sum() if dfs.any() else 0.0
        before, variances = variances, np.where(dfs > 0, squares / np.maximum(free, _LEAST), mean)
        if np.abs(variances - before).max() <= _SETTLED * variances.max():
            break
    scale = ROUNDING * max(float(np.nanmax(np.abs(values))), 1e-300)
    variances = np.maximum(np.where(np.sqrt(variances) > scale, variances, 0.0), floor)
    prior = prior_dfs(sizes)
    steadied = steady(variances, sizes, prior)
    weights = _weights(steadied, layout)
    _, inverse = layout.leverages(weights)
    combination = (weights[:, None] * layout.design) @ inverse[:, : layout.count]
    return OwnVarianceFit(variances, steadied, dfs + prior, combination, layout)


def balanced_variances(squares: Array, df: int, iterations: int = _ITERATIONS) -> Array:
    """What :func:`fit_own_variances` finds where every setting has the same seeds, without going through the repeats.

    :param squares: N×K×K, for N studies: sums of squares and products of settings' repeats about their means.
    :param df: the number of repeats less one.
    :param iterations: at most.
    :returns: N×K.
    """
    variances, open_ = np.zeros(squares.shape[:2]), np.arange(len(squares))
    for _ in range(iterations):
        before, products = variances[open_], squares[open_]
        largest = before.max(axis=1, keepdims=True)
        weights = 1 / np.maximum(np.divide(before, largest, where=largest > 0, out=np.ones_like(before)), _LEAST)
        weights /= weights.sum(axis=1, keepdims=True)
        common = (products @ weights[..., None])[..., 0]
        own = np.diagonal(products, axis1=1, axis2=2)
        residual = own - 2 * common + (common * weights).sum(axis=1, keepdims=True)
        after = np.maximum(residual, 0.0) / np.maximum(df * (1 - weights), _LEAST)
        variances[open_] = after
        open_ = open_[np.abs(after - before).max(axis=1) > _SETTLED * after.max(axis=1)]
        if not len(open_):
            break
    return variances


def prior_dfs(sizes: Sequence[int] | Array) -> Array:
    """What the common variance of all settings counts for beside the repeats of each: less than one repeat more.

    The more settings there are the better it is known. By simulation so much holds false calls at 5% (at most 6%) where
    one setting, half of them or each in its turn scatters up to ten times as much as the rest, and more does not.
    """
    sizes = np.asarray(sizes, dtype=float)
    prior: Array = np.minimum(1.0, ((sizes - 1) / 2) ** 2) * max(0, len(sizes) - 2) / len(sizes)
    return prior


def steady(variances: Array, sizes: Sequence[int] | Array, prior: Array) -> Array:
    """Variances known from few repeats, drawn towards the common one; so are those of a moderated t (Smyth, 2004)."""
    own = np.asarray(sizes, dtype=float) - 1
    total = np.maximum(own + prior, _LEAST)
    common = common_variance(variances)[..., None]
    return np.where(own > 0, (own * variances + prior * common) / total, variances)


def common_variance(variances: Array) -> Array:
    """Their mean over the last axis, or four times their median where that is less.

    A setting that collapses now and then tells nothing of how the others scatter.
    """
    common: Array = np.minimum(variances.mean(axis=-1), _MOST_OF_MEDIAN * np.median(variances, axis=-1))
    return common


def unequal_variances_p(values: Array, *, blocked: bool) -> float:
    """Whether a setting's residuals are unlike those of the rest in spread: the p-value for the most unlike of them.

    What a setting adds to the sum of squared residuals is independent of what the others leave without it, and has the
    same variance if all scatter alike: an exact F test, for all settings after Bonferroni. The effects of seeds are
    taken out on both sides, so they hide nothing.

    :param values: B×K with at least one value in each column; NaN is a value that is not there.
    """
    count = values.shape[1]
    whole = fit_additive(values, blocked=blocked)
    p_values = [1.0]
    for place in range(count if count > 2 else 0):
        rest = fit_additive(np.delete(values, place, axis=1), blocked=blocked)
        added, df = whole.variance * whole.df - rest.variance * rest.df, whole.df - rest.df
        if df > 0 and rest.df > 0 and rest.variance > 0:
            ratio = max(added, 0.0) / df / rest.variance
            p_values.append(2 * float(min(special.fdtr(df, rest.df, ratio), special.fdtrc(df, rest.df, ratio))))
    return float(min(1.0, count * min(p_values)))


def _weights(variances: Array, layout: Layout) -> Array:
    largest = variances.max()
    if not largest:
        return np.ones(len(layout.observed))
    weights: Array = 1 / np.maximum(variances / largest, _LEAST)
    return weights[layout.settings]
