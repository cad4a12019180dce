"""One difference tested: by the spread pooled over the settings, or by its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from cnnlab.evaluation.comparison.anova import AdditiveFit, Array
from cnnlab.evaluation.comparison.permutation_test import sign_flip_interval, sign_flip_p, smallest_p
from cnnlab.evaluation.comparison.power import fewest, power_of_t, required_repeats
from cnnlab.evaluation.comparison.test_selection import ComparisonPlan
from cnnlab.evaluation.intervals import Interval
from cnnlab.evaluation.student_t import t_quantile, two_sided_p, welch

PERMUTATION = "permutation, Holm"
_NO_SPREAD = "the repeats do not vary, so there is nothing to measure a difference against"
_TOO_FEW_REPEATS = "there are too few repeats to measure their spread"
_ROUNDING = 1e-10


@dataclass(frozen=True)
class PairTest:
    """A difference and what a test said of it.

    :param why: the reason why there was no test; empty where there was one.
    :param is_same: whether nothing differs, and nothing varies.
    :param to_see: the difference for which ``required`` tells the repeats; None where it takes too many.
    """

    estimate: float | None = None
    interval: Interval | None = None
    p_value: float | None = None
    p_single: float | None = None
    statistic: float | None = None
    df: float | None = None
    test: str = ""
    why: str = ""
    is_same: bool = False
    repeats: int = 0
    to_see: float | None = None
    required: Callable[[], int | None] = lambda: None

    def adjusted(self, p_value: float) -> "PairTest":
        """The same with another adjusted p-value."""
        return replace(self, p_value=p_value)

    def more(self) -> int | None:
        """How many repeats are lacking: at least one for the difference observed, which was not seen."""
        needed = None if self.to_see is None else self.required()
        least = 1 if self.to_see == abs(self.estimate or 0.0) else 0
        return None if needed is None else max(least, needed - self.repeats)


def compare_pair(plan: ComparisonPlan, pair: tuple[int, int], smallest: float | None) -> PairTest:
    """The difference of two settings, by the test that the plan has for it."""
    left, right = pair
    if pair not in plan.meant:
        return PairTest(why="there are no values")
    if plan.fit is not None and left in plan.calm and right in plan.calm:
        return _by_pooled_spread(plan, plan.fit, pair, smallest)
    columns = plan.table[:, left], plan.table[:, right]
    shared = np.isfinite(columns[0]) & np.isfinite(columns[1])
    if plan.is_blocked and shared.sum() > 1:
        return _by_differences(
            plan, columns[0][shared] - columns[1][shared], float(np.nanmax(np.abs(columns))), smallest
        )
    first, second = (column[np.isfinite(column)] for column in columns)
    return _by_two_samples(plan, first, second, smallest)


def _by_pooled_spread(
    plan: ComparisonPlan, fitted: AdditiveFit, pair: tuple[int, int], smallest: float | None
) -> PairTest:
    estimate, error = fitted.difference(plan.calm.index(pair[0]), plan.calm.index(pair[1]))
    if fitted.df < 1:
        return PairTest(estimate, why=_TOO_FEW_REPEATS)
    if error == 0:
        return _without_spread(estimate, float(np.abs(fitted.effects).max()))
    t, largest = estimate / error, plan.largest
    p = two_sided_p(t, fitted.df)
    to_see = smallest or abs(estimate)
    return PairTest(
        estimate,
        _around(estimate, plan.critical * error, plan.level),
        p if largest is None else largest.p_value(t, fitted.df),
        p,
        t,
        fitted.df,
        plan.pooled_name,
        repeats=min(plan.counts[place] for place in pair),
        to_see=to_see or None,
        required=lambda: _required(plan, fitted, to_see),
    )


def _required(plan: ComparisonPlan, fitted: AdditiveFit, difference: float) -> int | None:
    settings, std = len(plan.calm), sqrt(fitted.variance)
    if not plan.own and plan.family != "planned":
        blocked = fitted.is_blocked
        return required_repeats(
            difference, std, settings=settings, family=plan.family, level=plan.level, blocked=blocked
        )

    def power_of(repeats: int) -> float:
        df = (settings - fitted.is_blocked) * (repeats - 1)
        return power_of_t(difference / (std * sqrt(2 / repeats)), df, _critical(plan, df))

    return fewest(power_of)


def _by_differences(plan: ComparisonPlan, differences: Array, scale: float, smallest: float | None) -> PairTest:
    """By differences of repeats with the same seed: permuted where there are enough, else Student's t."""
    count, estimate = len(differences), float(differences.mean())
    std = float(differences.std(ddof=1))
    if std <= _ROUNDING * scale:
        return _without_spread(estimate, scale)
    to_see = smallest or abs(estimate)
    facts = PairTest(
        estimate, repeats=count, to_see=to_see or None, required=lambda: _required_pairs(plan, to_see, std)
    )
    if plan.test == "permutation" or (plan.test == "auto" and smallest_p(count) <= 1 - plan.single_level):
        p, interval = sign_flip_p(differences), sign_flip_interval(differences, plan.single_level)
        return replace(facts, interval=interval, p_value=p, p_single=p, test=PERMUTATION)
    return _with_t(plan, facts, std / sqrt(count), count - 1, "paired t, Holm")


def _required_pairs(plan: ComparisonPlan, difference: float, std: float) -> int | None:
    """As the t test would need, but no fewer than the permutation test can do with."""

    def power_of(repeats: int) -> float:
        if plan.test == "permutation" and smallest_p(repeats) > 1 - plan.single_level:
            return 0.0
        return power_of_t(difference / (std / sqrt(repeats)), repeats - 1, _critical(plan, repeats - 1))

    return fewest(power_of)


def _by_two_samples(plan: ComparisonPlan, left: Array, right: Array, smallest: float | None) -> PairTest:
    """Welch's test, for settings that share no seeds."""
    count = min(len(left), len(right))
    if count < 2:
        return PairTest(float(left.mean() - right.mean()), why=_TOO_FEW_REPEATS)
    estimate, error, df = welch(left.tolist(), right.tolist())
    scale = max(float(np.abs(left).max()), float(np.abs(right).max()))
    if error <= _ROUNDING * scale:
        return _without_spread(estimate, scale)
    to_see, std = smallest or abs(estimate), sqrt(float(left.var(ddof=1) + right.var(ddof=1)))

    def power_of(repeats: int) -> float:
        free = df * (repeats - 1) / (count - 1)
        return power_of_t(to_see / (std / sqrt(repeats)), free, _critical(plan, free))

    facts = PairTest(estimate, repeats=count, to_see=to_see or None, required=lambda: fewest(power_of))
    return _with_t(plan, facts, error, df, "Welch's t, Holm")


def _with_t(plan: ComparisonPlan, facts: PairTest, error: float, df: float, test: str) -> PairTest:
    estimate = facts.estimate or 0.0
    p = two_sided_p(estimate / error, df)
    interval = _around(estimate, _critical(plan, df) * error, plan.level)
    return replace(facts, interval=interval, p_value=p, p_single=p, statistic=estimate / error, df=df, test=test)


def _without_spread(estimate: float, scale: float) -> PairTest:
    same = abs(estimate) <= _ROUNDING * scale
    return PairTest(0.0 if same else estimate, why=_NO_SPREAD, is_same=same)


def _critical(plan: ComparisonPlan, df: float) -> float:
    return t_quantile(plan.single_level, df)


def _around(middle: float, half: float, level: float) -> Interval:
    return Interval(middle - half, middle + half, level, "simultaneous")
