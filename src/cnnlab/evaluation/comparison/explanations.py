"""Which test was used and why, and what a reader should know before believing it."""

from collections.abc import Sequence

import numpy as np

from cnnlab.evaluation.comparison.anova import Array
from cnnlab.evaluation.comparison.own_variances import unequal_variances_p
from cnnlab.evaluation.comparison.pair_tests import PairTest
from cnnlab.evaluation.comparison.permutation_test import smallest_p
from cnnlab.evaluation.comparison.results import p_text
from cnnlab.evaluation.comparison.test_selection import ComparisonPlan

NONE = "none"
_ALARM = 0.01


def method(tests: Sequence[PairTest]) -> str:
    """The test in a word or two; several where different differences took different ones."""
    used = list(dict.fromkeys(pair_test.test for pair_test in tests if pair_test.test))
    if len(used) < 2:
        return used[0] if used else NONE
    return f"{' and '.join(name.removesuffix(', Holm') for name in used)}, Holm"


def reason(plan: ComparisonPlan, tests: Sequence[PairTest], baseline: str | None) -> str:
    """In sentences."""
    used = [pair_test for pair_test in tests if pair_test.test]
    if not used:
        return _why_none(plan, tests)
    parts = [_spread(plan), _many(plan, len(used), baseline), _permutation(plan)]
    return " ".join(part for part in parts if part)


def cautions(plan: ComparisonPlan, given: Array) -> tuple[str, ...]:
    """What may mislead."""
    texts = []
    infinite = int(np.isinf(given).sum())
    missing = sum(max(plan.counts, default=0) - count for count in plan.counts)
    if infinite:
        texts.append(f"{infinite} value{' is' if infinite == 1 else 's are'} not finite and left out.")
    if missing:
        texts.append(
            f"{missing} value{' is' if missing == 1 else 's are'} missing. If "
            f"{'it is of a training' if missing == 1 else 'they are of trainings'} that failed, and not of one that is "
            "still to be done, what is left may look better than it is."
        )
    if plan.test == "pooled":
        p = unequal_variances_p(plan.table[:, plan.known], blocked=plan.is_blocked)
        if p < _ALARM:
            texts.append(
                f"the settings scatter unlike one another (F test of the residuals, {p_text(p)}), and their variances "
                "were pooled all the same: p-values and intervals may be far off."
            )
    return tuple(texts)


def _why_none(plan: ComparisonPlan, tests: Sequence[PairTest]) -> str:
    if not tests:
        return "There is one setting only, so there is nothing to compare it with."
    if not max(plan.counts):
        return "Nothing was tested: there is no value yet."
    if max(plan.counts) < 2:
        return (
            "Nothing was tested: with one repeat of each setting nothing tells a difference from chance. Repeat each "
            "at least twice, better three to five times, with seeds of their own."
        )
    whys = "; ".join(dict.fromkeys(pair_test.why for pair_test in tests))
    return f"Nothing was tested: {whys}."


def _spread(plan: ComparisonPlan) -> str:
    how = "seed by seed" if plan.is_blocked else "as independent repeats"
    count = len(plan.known)
    if plan.test == "pooled" and plan.pooled is not None:
        model = "blocked analysis of variance" if plan.is_blocked else "one-way analysis of variance"
        model += "" if plan.is_complete else ", by least squares because values are missing"
        return (
            f"Settings are compared {how}, by one variance pooled over {_number(count)} settings ({model}, "
            f"{plan.pooled.df} degree{'' if plan.pooled.df == 1 else 's'} of freedom)."
        )
    if plan.test != "auto":
        return f"Each pair of settings is compared {how} by its own repeats alone, as was asked for."
    if count == 2:
        return f"The two settings are compared {how} ({plan.own_name})."
    effect = ", the effect of the seed taken out" if plan.is_blocked else ""
    least_squares = "" if plan.is_complete else " Weighted least squares fill in for values that are missing."
    return (
        f"Settings are compared {how}, each by its own spread{effect}, drawn a little towards the mean spread of "
        f"{_number(count)} settings (moderated t).{least_squares}"
    )


def _many(plan: ComparisonPlan, count: int, baseline: str | None) -> str:
    chance = f"{(1 - plan.level) * 100:g}%"
    if count == 1:
        return f"There is one comparison, called a difference by chance alone in {chance} of cases."
    what = f"with {baseline}" if baseline is not None else "among all pairs"
    if plan.family == "planned":
        what = "that were planned"
    if plan.by_holm:
        return f"Holm's adjustment holds the chance of any false call among the {count} comparisons {what} at {chance}."
    name = f"{plan.pooled_name}'s test"
    general = "" if plan.is_complete else ", in its general form for unequal repeats,"
    return f"{name}{general} holds the chance of any false call among the {count} comparisons {what} at {chance}."


def _permutation(plan: ComparisonPlan) -> str:
    if not plan.is_blocked or plan.test == "permutation":
        return ""
    repeats = max(plan.counts)
    best = smallest_p(repeats)
    if best > 1 - plan.level:
        return f"By permutation alone {repeats} repeats could not tell: its p-value cannot be below {best:.2g}."
    return (
        "The exact permutation test of each difference by itself stands beside it; it presumes nothing of the spread."
    )


def _number(count: int) -> str:
    return {2: "both", 3: "all three"}.get(count, f"all {count}")
