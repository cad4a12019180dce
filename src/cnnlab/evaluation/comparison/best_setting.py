"""What the best of several settings reaches at the least, though it was chosen by these very numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.anova import Array
from cnnlab.evaluation.intervals import LEVEL, least_variance, t_quantile

if TYPE_CHECKING:
    import pandas as pd

_DRAWS = 5_000_000
_MOST = 100_000
_FEWEST = 3


@dataclass(frozen=True)
class BestBound:
    """A bound for the best of several settings.

    :param bound: the mean of at least one setting is no worse; None where nothing can be said, for the reason in
        ``why``.
    :param setting: the one that the bound was reckoned from; mostly, not always, the one with the best mean.
    :param settings: how many the bound holds for at once, whichever of them is looked at.
    :param method: how it was reckoned, in a few words.
    """

    bound: float | None
    setting: str | None
    settings: int
    level: float
    method: str
    why: str = ""


def best_setting_bound(
    values: "pd.DataFrame",
    *,
    higher_is_better: bool = True,
    level: float = LEVEL,
    step: float = 0.0,
    within: tuple[float, float] | None = None,
) -> BestBound:
    """A level that the best setting reaches on average over trainings, with the luck of being chosen accounted for.

    The largest of many means is large by luck too. So each setting's bound is Student's, from its own repeats, at a
    level that holds for all of them at once (Bonferroni), and the best of these bounds stands. Where every setting was
    trained once, as in a search, the spread between settings stands for that between trainings: it is as large at the
    least, if all trainings of all settings scatter alike, and the bound is cautious by as much as settings truly
    differ.

    :param values: a row a seed, a column a setting; NaN where there is none.
    :param level: as of a two-sided interval: of bounds at 0.95 in 2.5% at the most lie beyond the best setting's mean.
    :param step: in which values are counted; see :func:`~cnnlab.evaluation.intervals.least_variance`.
    :param within: what a value can be at all, such as (0, 1).
    :returns: a lower bound, or an upper one where lower is better.
    """
    table = values.to_numpy(dtype=float) * (1.0 if higher_is_better else -1.0)
    table = np.where(np.isfinite(table), table, np.nan)
    names = [str(name) for name in values.columns]
    counts = np.isfinite(table).sum(axis=0)
    if not names:
        raise UsageError("there are no settings to find the best of.")
    reckon = _by_repeats if (counts > 1).any() else _by_single_runs
    found = reckon(table, names, level, step)
    if found.bound is None:
        return found
    bound = found.bound if higher_is_better else -found.bound
    low, high = within or (-np.inf, np.inf)
    return BestBound(min(max(bound, low), high), found.setting, found.settings, level, found.method)


def _by_repeats(table: Array, names: Sequence[str], level: float, step: float) -> BestBound:
    bounds = {}
    for name, column in zip(names, table.T, strict=True):
        known = column[np.isfinite(column)]
        error = np.sqrt(max(known.var(ddof=1), least_variance(step)) / len(known)) if len(known) > 1 else 0.0
        if error > 0:
            critical = t_quantile(1 - (1 - level) / len(names), len(known) - 1)
            bounds[name] = float(known.mean() - critical * error)
    if not bounds:
        return BestBound(None, None, len(names), level, "", "the repeats do not vary, so nothing tells their spread")
    best = max(bounds, key=lambda name: bounds[name])
    return BestBound(bounds[best], best, len(names), level, f"Student's t, Bonferroni over {len(names)} settings")


def _by_single_runs(table: Array, names: Sequence[str], level: float, step: float) -> BestBound:
    known = np.isfinite(table).any(axis=0)
    runs = np.nansum(table[:, known], axis=0)
    if len(runs) < _FEWEST:
        why = "one training each of so few settings tells nothing of how trainings differ"
        return BestBound(None, None, len(names), level, "", why)
    spread = np.sqrt(max(runs.var(ddof=1), least_variance(step)))
    if not spread:
        return BestBound(None, None, len(names), level, "", "all trainings came out the same")
    best = names[int(np.flatnonzero(known)[runs.argmax()])]
    bound = float(runs.max() - _largest_of(len(runs), level) * spread)
    return BestBound(bound, best, len(runs), level, f"largest of {len(runs)} single runs by their common spread")


@lru_cache(maxsize=64)
def _largest_of(count: int, level: float) -> float:
    """What the largest of so many equal normal values exceeds their mean by, in sample standard deviations of them."""
    draws = np.random.default_rng(0).standard_normal((min(_MOST, _DRAWS // count), count))
    return float(np.quantile(draws.max(axis=1) / draws.std(axis=1, ddof=1), 0.5 + level / 2))
