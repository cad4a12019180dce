"""Which test was used and why, and what a reader should know before believing it."""

from collections.abc import Sequence

import numpy as np

from cnnlab.evaluation.comparison.anova import Array
from cnnlab.evaluation.comparison.pair_tests import PERMUTATION, PairTest
from cnnlab.evaluation.comparison.permutation_test import smallest_p
from cnnlab.evaluation.comparison.test_selection import ComparisonPlan

NONE = "none"
_MANY = 4


def method(tests: Sequence[PairTest]) -> str:
    """The test in a word or two; several where different differences took different ones."""
    used = list(dict.fromkeys(pair_test.test for pair_test in tests if pair_test.test))
    if len(used) < 2:
        return used[0] if used else NONE
    return f"{' and '.join(name.removesuffix(', Holm') for name in used)}, Holm"


def reason(plan: ComparisonPlan, tests: Sequence[PairTest], names: Sequence[str], baseline: str | None) -> str:
    """In sentences."""
    used = [pair_test for pair_test in tests if pair_test.test]
    if not used:
        return _why_none(plan, tests)
    parts = [_spread(plan, names), _many(plan, len(used), baseline), _permutation(plan, used)]
    return " ".join(part for part in parts if part)


def cautions(plan: ComparisonPlan, given: Array, names: Sequence[str]) -> tuple[str, ...]:
    """What may mislead."""
    texts = []
    infinite = int(np.isinf(given).sum())
    missing = sum(max(plan.counts, default=0) - count for count in plan.counts)
    if infinite:
        texts.append(f"{infinite} value{' is' if infinite == 1 else 's are'} not finite and left out.")
    if missing:
        texts.append(
            f"{missing} value{' is' if missing == 1 else 's are'} missing. Where trainings failed because they went "
            "badly, what is left looks better than it is."
        )
    if plan.unlike and plan.test == "pooled":
        texts.append(
            f"the spread of {_listed(plan.unlike, names)} is unlike that of the others, and was pooled with it all the "
            "same: p-values and intervals may be far off."
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


def _spread(plan: ComparisonPlan, names: Sequence[str]) -> str:
    how = "seed by seed" if plan.is_blocked else "as repeats that share no seeds"
    if plan.fit is None:
        pairs = f"Each pair of settings is compared {how} by its own spread"
        if plan.test != "auto":
            return f"{pairs}, as was asked for."
        return f"{pairs}: the settings scatter too differently to pool (Bartlett's test, p < 0.01)."
    model = "blocked analysis of variance" if plan.is_blocked else "one-way analysis of variance"
    model += "" if plan.is_complete else ", by least squares because values are missing"
    text = (
        f"Settings are compared {how}, by one spread pooled over {_number(len(plan.calm))} settings ({model}, "
        f"{plan.fit.df} degree{'' if plan.fit.df == 1 else 's'} of freedom)."
    )
    if not plan.own:
        return text
    verb = "scatters" if len(plan.own) == 1 else "scatter"
    return f"{text} {_listed(plan.own, names)} {verb} unlike the others (Bartlett's test, p < 0.01) and " + (
        "is compared by its own differences." if len(plan.own) == 1 else "are compared by their own differences."
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


def _permutation(plan: ComparisonPlan, used: Sequence[PairTest]) -> str:
    if not plan.is_blocked or any(pair_test.test == PERMUTATION for pair_test in used):
        return ""
    repeats = max(plan.counts)
    best = smallest_p(repeats)
    if best > 1 - plan.level:
        return f"By permutation alone {repeats} repeats could not tell: its p-value cannot be below {best:.2g}."
    return (
        "The exact permutation test of each difference by itself stands beside it; it presumes nothing of the spread."
    )


def _listed(places: Sequence[int], names: Sequence[str]) -> str:
    words = [names[place] for place in places]
    if len(words) > _MANY:
        words = [*words[:_MANY], f"{len(words) - _MANY} more"]
    if len(words) == 1:
        return words[0]
    # Names of several axes hold commas themselves.
    between, last = ("; ", "; and ") if any("," in word for word in words) else (", ", " and ")
    return f"{between.join(words[:-1])}{last}{words[-1]}"


def _number(count: int) -> str:
    return {2: "both", 3: "all three"}.get(count, f"all {count}")
