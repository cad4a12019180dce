"""Settings compared by ranks, where some of their trials never came to the level in question: they have no number.

To leave them out would flatter the setting that fails most often. They rank behind every trial that got there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from cnnlab.evaluation.comparison.multiple_comparisons import holm
from cnnlab.evaluation.comparison.rank_sum_test import RankSumResult, compare_ranks
from cnnlab.evaluation.comparison.results import p_text
from cnnlab.studies.result import Family, SettingComparison

if TYPE_CHECKING:
    from cnnlab.studies.statistics.tables import Tables

LEVEL = 0.05
METHOD = "Rank-sum test by permutation, Holm"
_WHY = (
    "Some trials never came to the level, so settings are compared by ranks, where these come last; p-values are "
    "adjusted after Holm for all comparisons made."
)


@dataclass(frozen=True)
class RankedPair:
    """One setting against another.

    :param p: adjusted for all comparisons of the family.
    """

    setting: str
    reference: str
    labels: tuple[str, str]
    found: RankSumResult
    p: float

    @property
    def verdict(self) -> str:
        """Of the setting: sooner there is better."""
        if self.p > LEVEL or self.found.is_higher is None:
            return "undecided"
        return "worse" if self.found.is_higher else "better"

    @property
    def sentence(self) -> str:
        """The verdict in words, with the numbers behind it."""
        one, other = self.labels
        parts = zip(self.labels, self.found.beyond, self.found.counts, strict=True)
        late = [f"{label} in {beyond} of {count} repeats" for label, beyond, count in parts if beyond]
        numbers = f"never reached by {' and '.join(late)}" if late else "reached in every repeat"
        numbers = f"({numbers}; by ranks, {p_text(self.p)})"
        if self.verdict == "undecided":
            return f"{one} against {other}: not enough repeats to tell {numbers}."
        return f"{one} is {self.verdict} than {other} {numbers}."


def rank_pairs(tables: "Tables", metric: str, pairs: Sequence[tuple[str, str]]) -> tuple[RankedPair, ...]:
    """Each pair of settings, adjusted for all of them; those of which one has no finished trial are left out."""
    known = [(one, other) for one, other in pairs if tables.ranked(metric, one) and tables.ranked(metric, other)]
    found = [compare_ranks(tables.ranked(metric, one), tables.ranked(metric, other)) for one, other in known]
    adjusted = holm([one.p_value for one in found])
    return tuple(
        RankedPair(one, other, (tables.labels[one], tables.labels[other]), ranked, p)
        for (one, other), ranked, p in zip(known, found, adjusted, strict=True)
    )


def claimed_pair(tables: "Tables", metric: str, left: str, right: str) -> RankedPair | None:
    """One setting against another as a claim compares them; None where one has no finished trial.

    With the baseline it is adjusted for all comparisons with that, else for those that claims make.
    """
    if tables.baseline in (left, right):
        family = [(key, str(tables.baseline)) for key in tables.labels if key != tables.baseline]
    else:
        family = list(tables.planned.get(metric, ()))
    others = [pair for pair in family if set(pair) != {left, right}]
    found = rank_pairs(tables, metric, [(left, right), *others])
    return next((pair for pair in found if (pair.setting, pair.reference) == (left, right)), None)


def family_by_ranks(tables: "Tables", metric: str) -> Family | None:
    """All settings with the baseline, or among each other; None where there is nothing to compare yet."""
    keys = list(tables.labels)
    if tables.baseline is None:
        pairs = [(later, earlier) for earlier, later in combinations(keys, 2)]
    else:
        pairs = [(key, tables.baseline) for key in keys if key != tables.baseline]
    found = rank_pairs(tables, metric, pairs)
    if not found:
        return None
    kind = "pairs" if tables.baseline is None else "baseline"
    return Family(metric, kind, METHOD, _WHY, tuple(_comparison(metric, one) for one in found))  # type: ignore[arg-type]


def _comparison(metric: str, pair: RankedPair) -> SettingComparison:
    return SettingComparison(
        metric,
        pair.setting,
        pair.reference,
        *(None, None, None),
        pair.p,
        pair.verdict,
        pair.sentence,
        min(pair.found.counts),
        test="rank-sum",
    )
