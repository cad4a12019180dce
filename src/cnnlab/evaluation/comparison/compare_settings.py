"""Comparing the settings of a study: which test, what it says, and how many repeats are lacking."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.evaluation.comparison.anova import Array
from cnnlab.evaluation.comparison.explanations import cautions, method, reason
from cnnlab.evaluation.comparison.multiple_comparisons import FamilyKind, Pairs, family_pairs, holm
from cnnlab.evaluation.comparison.pair_tests import PairTest, compare_pair
from cnnlab.evaluation.comparison.permutation_test import sign_flip_p, smallest_p
from cnnlab.evaluation.comparison.results import Comparisons, Difference, DifferenceVerdict, SettingSummary
from cnnlab.evaluation.comparison.test_selection import Asked, ComparisonPlan, Test, choose_tests
from cnnlab.evaluation.intervals import LEVEL, mean_interval
from cnnlab.evaluation.units import POINTS, Unit

if TYPE_CHECKING:
    import pandas as pd

_TESTS = get_args(Test)


@dataclass(frozen=True)
class _Question:
    """What is asked of the values, the same for every difference."""

    level: float
    higher_is_better: bool
    unit: Unit
    smallest: float | None


def compare_settings(
    values: "pd.DataFrame",
    *,
    baseline: str | None = None,
    planned: Sequence[tuple[str, str]] | None = None,
    level: float = LEVEL,
    higher_is_better: bool = True,
    unit: Unit = POINTS,
    smallest: float | None = None,
    test: Test = "auto",
    blocked: bool = True,
) -> Comparisons:
    """Which settings are better than which, over repeats with the same seeds.

    Settings are compared seed by seed, with one spread pooled over all of them: a blocked analysis of variance, by
    least squares where values are missing. Against a baseline the p-values and intervals are Dunnett's (1955), among
    all pairs Tukey's; with values missing, their generalisation to the multivariate t distribution. Settings whose
    spread is unlike the others' are compared by their own differences, by the exact permutation test where the
    repeats suffice for it and else by the paired t test, and everything is adjusted after Holm.

    Few comparisons that were planned before any number was seen need no correction for all that could have been made:
    with ``planned`` these alone are made, by the same pooled spread, and adjusted after Holm among themselves.

    :param values: a row a seed, a column a setting, one metric; NaN where a repeat is missing or failed.
    :param baseline: the setting to compare each other with; None for all pairs.
    :param planned: pairs of settings, the first to be compared with the second; in place of ``baseline``.
    :param level: 0.95 holds the chance of any false call among all differences at 5%.
    :param smallest: the smallest difference of interest, in the metric's units; None reckons the repeats that are
        lacking for the difference observed.
    :param test: ``pooled`` whatever the spreads, ``paired`` t or ``permutation`` for every pair by itself.
    :param blocked: whether equal seeds make repeats of different settings alike; without it the one-way model is used.
    :raises UsageError: for a baseline or planned settings that are not there, or seeds or settings that occur twice.
    """
    if test not in _TESTS:
        raise UsageError(f"there is no test {test!r}. {suggestion(test, _TESTS)}")
    names, table = _read(values, baseline)
    question = _Question(level, higher_is_better, unit, smallest)
    family, pairs = _family(names, baseline, planned)
    plan = choose_tests(table, pairs, family, level=level, test=test, blocked=blocked)
    pair_tests = _adjusted([compare_pair(plan, pair, smallest) for pair in pairs], plan)
    return Comparisons(
        settings=tuple(
            _summary(name, values.index, column, level) for name, column in zip(names, table.T, strict=True)
        ),
        differences=tuple(
            _difference(names, pair, pair_test, plan, question)
            for pair, pair_test in zip(pairs, pair_tests, strict=True)
        ),
        baseline=baseline,
        level=level,
        higher_is_better=higher_is_better,
        unit=unit,
        pooled_std=float(np.sqrt(plan.fit.variance)) if plan.fit and plan.fit.df else None,
        df=plan.fit.df if plan.fit and plan.fit.df else None,
        blocked=plan.is_blocked,
        method=method(pair_tests),
        reason=reason(plan, pair_tests, names, baseline),
        cautions=cautions(plan, values.to_numpy(dtype=float), names),
    )


def _read(values: "pd.DataFrame", baseline: str | None) -> tuple[list[str], Array]:
    names = [str(name) for name in values.columns]
    for what, labels in (("setting", names), ("seed", list(values.index))):
        twice = {label for label in labels if labels.count(label) > 1}
        if twice:
            raise UsageError(f"the {what} {min(twice, key=str)} occurs twice; each {what} has one place in the table.")
    if not names:
        raise UsageError("there are no settings to compare.")
    if baseline is not None and baseline not in names:
        raise UsageError(f"the baseline {baseline!r} is none of the settings. {suggestion(baseline, names)}")
    table = values.to_numpy(dtype=float)
    return names, np.where(np.isfinite(table), table, np.nan)


def _family(
    names: Sequence[str], baseline: str | None, planned: Sequence[tuple[str, str]] | None
) -> tuple[Asked, Pairs]:
    if planned is None:
        family: FamilyKind = "all" if baseline is None else "baseline"
        return family, family_pairs(len(names), family, 0 if baseline is None else names.index(baseline))
    if baseline is not None:
        raise UsageError("comparisons are planned, or with a baseline; give one of the two.")
    for name in (name for pair in planned for name in pair):
        if name not in names:
            raise UsageError(f"the planned setting {name!r} is none of the settings. {suggestion(name, names)}")
    pairs = tuple(dict.fromkeys((names.index(first), names.index(second)) for first, second in planned))
    if any(first == second or (second, first) in pairs for first, second in pairs):
        raise UsageError("a planned comparison is of two settings, and made once.")
    return "planned", pairs


def _adjusted(pair_tests: Sequence[PairTest], plan: ComparisonPlan) -> list[PairTest]:
    """After Holm where the plan says so; else they were adjusted by their largest t."""
    if not plan.by_holm:
        return list(pair_tests)
    p_values = holm([np.nan if pair_test.p_single is None else pair_test.p_single for pair_test in pair_tests])
    return [
        pair_test if pair_test.p_single is None else pair_test.adjusted(p)
        for pair_test, p in zip(pair_tests, p_values, strict=True)
    ]


def _difference(
    names: Sequence[str], pair: tuple[int, int], pair_test: PairTest, plan: ComparisonPlan, question: _Question
) -> Difference:
    left, right = plan.table[:, pair[0]], plan.table[:, pair[1]]
    shared = np.isfinite(left) & np.isfinite(right)
    permutation = None
    if smallest_p(int(shared.sum())) <= 1 - question.level:
        permutation = sign_flip_p(left[shared] - right[shared])
    verdict = _verdict(pair_test, question)
    lacking = verdict == "undecided"
    return Difference(
        setting=names[pair[0]],
        reference=names[pair[1]],
        unit=question.unit,
        verdict=verdict,
        why=pair_test.why,
        estimate=pair_test.estimate,
        interval=pair_test.interval,
        p_value=pair_test.p_value,
        p_single=pair_test.p_single,
        permutation_p=permutation,
        statistic=pair_test.statistic,
        df=pair_test.df,
        repeats=int(shared.sum()),
        test=pair_test.test,
        more_repeats=pair_test.more() if lacking else None,
        to_see=question.smallest if verdict == "alike" else pair_test.to_see if lacking else None,
    )


def _verdict(pair_test: PairTest, question: _Question) -> DifferenceVerdict:
    if pair_test.why:
        return "identical" if pair_test.is_same else "untested"
    estimate, interval = pair_test.estimate or 0.0, pair_test.interval
    if pair_test.p_value is not None and pair_test.p_value <= 1 - question.level:
        return "better" if (estimate > 0) == question.higher_is_better else "worse"
    small = question.smallest
    if small is not None and interval is not None and -small < interval.low and interval.high < small:
        return "alike"
    return "undecided"


def _summary(name: str, seeds: Any, column: Array, level: float) -> SettingSummary:
    values = {seed: float(value) for seed, value in zip(seeds, column, strict=True) if np.isfinite(value)}
    numbers = list(values.values())
    return SettingSummary(
        name,
        values,
        mean=fmean(numbers) if numbers else None,
        std=stdev(numbers) if len(numbers) > 1 else None,
        interval=mean_interval(numbers, level),
    )
