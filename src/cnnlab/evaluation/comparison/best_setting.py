"""What the best of several settings reaches at the least, though it was chosen by these very numbers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.intervals import LEVEL, least_variance
from cnnlab.evaluation.student_t import t_quantile

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class BestBound:
    """A bound for the best of several settings.

    :param bound: the mean of at least one setting is no worse; None where nothing can be said, for the reason in
        ``why``.
    :param setting: the one that the bound was reckoned from; mostly, not always, the one with the best mean.
    :param settings: how many the bound holds for at once, whichever of them is looked at.
    """

    bound: float | None
    setting: str | None
    settings: int
    level: float
    why: str = ""

    @property
    def method(self) -> str:
        """How it was reckoned, in a few words."""
        return f"Student's t, Bonferroni over {self.settings} settings"


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
    level that holds for all of them at once (Bonferroni), and the best of these bounds stands. Of settings trained once
    nothing can be said: how much they differ among each other tells what settings do, and not what a seed does to all
    of them.

    :param values: a row a seed, a column a setting; NaN where there is none.
    :param level: as of a two-sided interval: of bounds at 0.95 in 2.5% at the most lie beyond the best setting's mean.
    :param step: in which values are counted; see :func:`~cnnlab.evaluation.intervals.least_variance`.
    :param within: what a value can be at all, such as (0, 1).
    :returns: a lower bound, or an upper one where lower is better.
    """
    count, sign = values.shape[1], 1.0 if higher_is_better else -1.0
    if not count:
        raise UsageError("there are no settings to find the best of.")
    bounds, most = {}, 0
    for name, column in zip(values.columns, sign * values.to_numpy(dtype=float).T, strict=True):
        known = column[np.isfinite(column)]
        most = max(most, len(known))
        if len(known) < 2:
            continue
        error = np.sqrt(max(known.var(ddof=1), least_variance(step)) / len(known))
        if error > 0:
            bounds[str(name)] = float(known.mean() - t_quantile(1 - (1 - level) / count, len(known) - 1) * error)
    if not bounds:
        why = (
            "the repeats do not vary, so nothing tells their spread"
            if most > 1
            else "one training of each setting tells nothing of how trainings differ"
        )
        return BestBound(None, None, count, level, why)
    best = max(bounds, key=lambda name: bounds[name])
    low, high = within or (-np.inf, np.inf)
    return BestBound(min(max(sign * bounds[best], low), high), best, count, level)
