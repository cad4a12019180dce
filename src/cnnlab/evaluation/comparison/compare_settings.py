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
    within: tuple[float, float] | None


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
    step: float = 0.0,
    within: tuple[float, float] | None = None,
) -> Comparisons:
    """Which settings are better than which, over repeats with the same seeds.

    Settings are compared seed by seed, and none is taken to scatter as the others do: the standard error of a
    difference is made of the two settings' own variances, the effect of the seed taken out, drawn a little towards the
    mean variance of all (:mod:`own_variances`). It is the paired t test for two settings and a moderated t for more;
    p-values are adjusted after Holm, and intervals are Bonferroni's.

    Few comparisons that were planned before any number was seen need no correction for all that could have been made:
    with ``planned`` these alone are made, and adjusted among themselves.

    :param values: a row a seed, a column a setting, one metric; NaN where a repeat is missing or failed.
    :param baseline: the setting to compare each other with; None for all pairs.
    :param planned: pairs of settings, the first to be compared with the second; in place of ``baseline``.
    :param level: 0.95 holds the chance of any false call among all differences at 5%.
    :param smallest: difference of interest, in the metric's units; None reckons the repeats lacking for that observed.
    :param test: ``pooled`` for whoever knows that all settings scatter alike: one variance for all of them, with
        Dunnett's test (1955) against a baseline and Tukey's among all pairs; where values are missing, their
        generalisation to the multivariate t. ``paired`` t or ``permutation`` for every pair by itself.
    :param blocked: whether equal seeds make repeats of different settings alike. With it settings that share fewer than
        two seeds are not tested; without it repeats are independent, and the tests unpaired.
    :param step: in which values are counted, such as one picture of n; see
        :func:`~cnnlab.evaluation.intervals.least_variance`.
    :param within: what a value can be at all, such as (0, 1): no interval of a difference goes beyond.
    :raises UsageError: for a baseline or planned settings that are not there, or seeds or settings that occur twice.
    """
    _check_test(test)
    names, table = _read(values, baseline)
    question = _Question(level, higher_is_better, unit, smallest, within)
    family, pairs = _family(names, baseline, planned)
    plan = choose_tests(table, pairs, family, level=level, test=test, blocked=blocked, step=step)
    pair_tests = _adjusted([compare_pair(plan, pair, smallest) for pair in pairs], plan)
    pooled = plan.pooled if plan.pooled and plan.pooled.df else None
    return Comparisons(
        settings=_summaries(names, values.index, table, question, step),
        differences=tuple(_difference(names, *each, plan, question) for each in zip(pairs, pair_tests, strict=True)),
        baseline=baseline,
        level=level,
        higher_is_better=higher_is_better,
        unit=unit,
        pooled_std=float(np.sqrt(pooled.variance)) if pooled else None,
        df=pooled.df if pooled else None,
        blocked=plan.is_blocked,
        method=method(pair_tests),
        reason=reason(plan, pair_tests, baseline),
        cautions=cautions(plan, values.to_numpy(dtype=float)),
    )


def compare_over_pairs(
    values: "pd.DataFrame",
    pairs: Sequence[tuple[str, str]],
    *,
    names: tuple[str, str] = ("left", "right"),
    level: float = LEVEL,
    higher_is_better: bool = True,
    unit: Unit = POINTS,
    smallest: float | None = None,
    step: float = 0.0,
    within: tuple[float, float] | None = None,
) -> Difference:
    """One side against the other over several pairs of settings, as momentum with none at each learning rate.

    Every seed gives one value, the mean difference over the pairs, and these are tested by Student's t. What a seed
    does to one pair it may well do to the next, so pairs are no repeats. It is about these pairs, on average.

    :param values: as for :func:`compare_settings`, like the other arguments. A seed counts with which all have a value.
    :param pairs: of settings, the left one and its counterpart on the right.
    :param names: of the two sides.
    :raises UsageError: for settings that are not there, or no pairs.
    """
    import pandas as pd

    if not pairs:
        raise UsageError("there are no pairs of settings to compare over.")
    labels, table = _read(values, None)
    for name in (name for pair in pairs for name in pair):
        if name not in labels:
            raise UsageError(f"the setting {name!r} is none of those compared. {suggestion(name, labels)}")
    sides = [table[:, [labels.index(pair[side]) for pair in pairs]] for side in (0, 1)]
    complete = np.isfinite(np.hstack(sides)).all(axis=1)
    means = pd.DataFrame(
        {name: side[complete].mean(axis=1) for name, side in zip(names, sides, strict=True)},
        index=values.index[np.flatnonzero(complete)],
    )
    comparisons = compare_settings(
        means,
        baseline=names[1],
        level=level,
        higher_is_better=higher_is_better,
        unit=unit,
        smallest=smallest,
        step=step / len(pairs),
        within=within,
    )
    return comparisons.differences[0]


def _check_test(test: str) -> None:
    if test not in _TESTS:
        raise UsageError(f"there is no test {test!r}. {suggestion(test, _TESTS)}")


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
    interval = pair_test.interval
    if interval is not None and question.within is not None:
        reach = question.within[1] - question.within[0]
        interval = interval.within(-reach, reach)
    verdict = _verdict(pair_test, question)
    lacking = verdict == "undecided"
    return Difference(
        setting=names[pair[0]],
        reference=names[pair[1]],
        unit=question.unit,
        verdict=verdict,
        why=pair_test.why,
        estimate=pair_test.estimate,
        interval=interval,
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


def _summaries(
    names: Sequence[str], seeds: Any, table: Array, question: _Question, step: float
) -> tuple[SettingSummary, ...]:
    found = []
    for name, column in zip(names, table.T, strict=True):
        values = {seed: float(value) for seed, value in zip(seeds, column, strict=True) if np.isfinite(value)}
        numbers = list(values.values())
        summary = SettingSummary(
            name,
            values,
            mean=fmean(numbers) if numbers else None,
            std=stdev(numbers) if len(numbers) > 1 else None,
            interval=mean_interval(numbers, question.level, question.within, step),
        )
        found.append(summary)
    return tuple(found)
