"""One difference tested: by the settings' own variances, by the pooled one, or by its repeats alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from cnnlab.evaluation.comparison.anova import ROUNDING, AdditiveFit, Array
from cnnlab.evaluation.comparison.own_variances import OwnVarianceFit, common_variance
from cnnlab.evaluation.comparison.permutation_test import sign_flip_interval, sign_flip_p, smallest_p
from cnnlab.evaluation.comparison.power import (
    Spreads,
    fewest,
    near_fewest,
    power_by_own_variances,
    power_of_t,
    required_repeats,
)
from cnnlab.evaluation.comparison.test_selection import SEPARATE, ComparisonPlan
from cnnlab.evaluation.intervals import Interval
from cnnlab.evaluation.student_t import (
    VariancePart,
    separate_t_half_width,
    separate_t_p,
    t_quantile,
    two_sided_p,
    welch,
)

PERMUTATION = "permutation"
_NO_SPREAD = "the repeats do not vary, so there is nothing to measure a difference against"
_TOO_FEW_REPEATS = "there are too few repeats to measure their spread"
_NO_SEEDS = "they share fewer than two seeds, and are compared seed by seed"


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
    if pair not in plan.meant or plan.own is None or plan.pooled is None:
        return PairTest(why="there are no values")
    left, right = plan.table[:, pair[0]], plan.table[:, pair[1]]
    both = np.isfinite(left) & np.isfinite(right)
    shared = int(both.sum())
    if min(plan.counts[place] for place in pair) < 2 or (plan.is_blocked and shared < 2):
        differences = left[both] - right[both] if shared else np.array([np.nanmean(left) - np.nanmean(right)])
        few = min(plan.counts[place] for place in pair) < 2
        return PairTest(float(differences.mean()), why=_TOO_FEW_REPEATS if few else _NO_SEEDS)
    places = plan.known.index(pair[0]), plan.known.index(pair[1])
    if plan.test == "pooled":
        return _by_pooled_variance(plan, plan.pooled, pair, places, smallest)
    if plan.test == "auto":
        return _by_own_variances(plan, plan.own, pair, places, shared, smallest)
    if plan.is_blocked:
        return _by_differences(plan, left[both] - right[both], _scale(left, right), smallest)
    return _by_two_samples(plan, left[np.isfinite(left)], right[np.isfinite(right)], smallest)


def _by_own_variances(
    plan: ComparisonPlan,
    fitted: OwnVarianceFit,
    pair: tuple[int, int],
    places: tuple[int, int],
    shared: int,
    smallest: float | None,
) -> PairTest:
    estimate, error, df = fitted.difference(*places, shared if plan.is_blocked else 0)
    scale = _scale(*(plan.table[:, place] for place in pair))
    if error <= ROUNDING * scale:
        return _without_spread(estimate, scale)
    to_see, (first, second) = smallest or abs(estimate), (float(fitted.steadied[place]) for place in places)
    spreads = Spreads(first, second, float(common_variance(fitted.steadied)))

    def power_of(repeats: int) -> float:
        return power_by_own_variances(
            to_see, spreads, repeats, settings=len(plan.known), level=plan.single_level, blocked=plan.is_blocked
        )

    def required() -> int | None:
        return fewest(power_of, near=near_fewest(to_see, first + second, plan.single_level))

    repeats = min(plan.counts[place] for place in pair)
    facts = PairTest(estimate, repeats=repeats, to_see=to_see or None, required=required)
    if not plan.is_blocked and plan.counts[pair[0]] != plan.counts[pair[1]]:
        return _with_separate_t(plan, facts, error, fitted.sources(*places))
    return _with_t(plan, facts, error, df, plan.own_name)


def _with_separate_t(plan: ComparisonPlan, facts: PairTest, error: float, sources: list[VariancePart]) -> PairTest:
    """Of independent repeats, more of the one than of the other: Welch's degrees of freedom are too many for two or
    three beside five or ten, with which equal settings are called different in up to 12% of cases."""
    estimate = facts.estimate or 0.0
    p = separate_t_p(estimate, sources)
    interval = _around(estimate, separate_t_half_width(sources, plan.single_level), plan.level)
    test = plan.test_name(SEPARATE)
    return replace(facts, interval=interval, p_value=p, p_single=p, statistic=estimate / error, test=test)


def _by_pooled_variance(
    plan: ComparisonPlan, fitted: AdditiveFit, pair: tuple[int, int], places: tuple[int, int], smallest: float | None
) -> PairTest:
    estimate, error = fitted.difference(*places)
    if fitted.df < 1:
        return PairTest(estimate, why=_TOO_FEW_REPEATS)
    if error == 0:
        return _without_spread(estimate, _scale(*(plan.table[:, place] for place in pair)))
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
    settings, std = len(plan.known), sqrt(fitted.variance)
    if plan.family != "planned":
        return required_repeats(
            difference,
            std,
            settings=settings,
            family=plan.family,
            level=plan.level,
            blocked=plan.is_blocked,
            test="pooled",
        )

    def power_of(repeats: int) -> float:
        df = (settings - fitted.is_blocked) * (repeats - 1)
        return power_of_t(difference / (std * sqrt(2 / repeats)), df, _critical(plan, df))

    return fewest(power_of)


def _by_differences(plan: ComparisonPlan, differences: Array, scale: float, smallest: float | None) -> PairTest:
    """By differences of repeats with the same seed alone: permuted where that was asked for, else Student's t."""
    count, estimate = len(differences), float(differences.mean())
    std = max(float(differences.std(ddof=1)), sqrt(2 * plan.least))
    if std <= ROUNDING * scale:
        return _without_spread(estimate, scale)
    to_see = smallest or abs(estimate)
    facts = PairTest(
        estimate, repeats=count, to_see=to_see or None, required=lambda: _required_pairs(plan, to_see, std)
    )
    if plan.test == "permutation":
        p, interval = sign_flip_p(differences), sign_flip_interval(differences, plan.single_level)
        return replace(facts, interval=interval, p_value=p, p_single=p, test=plan.test_name(PERMUTATION))
    return _with_t(plan, facts, std / sqrt(count), count - 1, plan.test_name("paired t"))


def _required_pairs(plan: ComparisonPlan, difference: float, std: float) -> int | None:
    """As the t test would need, but no fewer than the permutation test can do with."""

    def power_of(repeats: int) -> float:
        if plan.test == "permutation" and smallest_p(repeats) > 1 - plan.single_level:
            return 0.0
        return power_of_t(difference / (std / sqrt(repeats)), repeats - 1, _critical(plan, repeats - 1))

    return fewest(power_of)


def _by_two_samples(plan: ComparisonPlan, left: Array, right: Array, smallest: float | None) -> PairTest:
    """Welch's test, for repeats that do not belong together."""
    count = min(len(left), len(right))
    estimate, error, df = welch(left.tolist(), right.tolist())
    scale = _scale(left, right)
    error = max(error, sqrt(plan.least * (1 / len(left) + 1 / len(right))))
    sources = [
        VariancePart(max(float(side.var(ddof=1)), plan.least) / len(side), len(side) - 1) for side in (left, right)
    ]
    if error <= ROUNDING * scale:
        return _without_spread(estimate, scale)
    to_see, std = smallest or abs(estimate), error * sqrt(count)

    def power_of(repeats: int) -> float:
        free = df * (repeats - 1) / (count - 1)
        return power_of_t(to_see / (std / sqrt(repeats)), free, _critical(plan, free))

    facts = PairTest(estimate, repeats=count, to_see=to_see or None, required=lambda: fewest(power_of))
    if len(left) != len(right):
        return _with_separate_t(plan, facts, error, sources)
    return _with_t(plan, facts, error, df, plan.test_name("Welch's t"))


def _with_t(plan: ComparisonPlan, facts: PairTest, error: float, df: float, test: str) -> PairTest:
    estimate = facts.estimate or 0.0
    p = two_sided_p(estimate / error, df)
    interval = _around(estimate, _critical(plan, df) * error, plan.level)
    return replace(facts, interval=interval, p_value=p, p_single=p, statistic=estimate / error, df=df, test=test)


def _without_spread(estimate: float, scale: float) -> PairTest:
    same = abs(estimate) <= ROUNDING * scale
    return PairTest(0.0 if same else estimate, why=_NO_SPREAD, is_same=same)


def _scale(*columns: Array) -> float:
    return max(float(np.nanmax(np.abs(column))) for column in columns)


def _critical(plan: ComparisonPlan, df: float) -> float:
    return t_quantile(plan.single_level, df)


def _around(middle: float, half: float, level: float) -> Interval:
    return Interval(middle - half, middle + half, level, "simultaneous", "repeats")
