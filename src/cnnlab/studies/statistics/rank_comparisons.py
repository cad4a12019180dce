"""Settings compared by ranks, where some of their trials never came to the level in question: they have no number.

To leave them out would flatter the setting that fails most often. They rank behind every trial that got there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from cnnlab.evaluation.comparison.multiple_comparisons import holm
from cnnlab.evaluation.comparison.rank_sum_test import RankSumResult, compare_ranks
from cnnlab.evaluation.comparison.results import p_text
from cnnlab.studies.result import Family, SettingComparison
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
    rank_sum: RankSumResult
    p: float

    @property
    def verdict(self) -> str:
        """Of the setting: sooner there is better."""
        if self.p > LEVEL or self.rank_sum.is_higher is None:
            return "undecided"
        return "worse" if self.rank_sum.is_higher else "better"

    @property
    def sentence(self) -> str:
        """The verdict in words, with the numbers behind it."""
        setting, reference = self.labels
        parts = zip(self.labels, self.rank_sum.beyond, self.rank_sum.counts, strict=True)
        late = [f"{label} in {beyond} of {count} repeats" for label, beyond, count in parts if beyond]
        numbers = f"never reached by {' and '.join(late)}" if late else "reached in every repeat"
        numbers = f"({numbers}; by ranks, {p_text(self.p)})"
        if self.verdict == "undecided":
            return f"{setting} against {reference}: not enough repeats to tell {numbers}."
        return f"{setting} is {self.verdict} than {reference} {numbers}."


def rank_pairs(tables: Tables, metric: str, pairs: Sequence[tuple[str, str]]) -> tuple[RankedPair, ...]:
    """Each pair of settings, adjusted for all of them; those of which one has no finished trial are left out."""
    known = [
        (setting, reference)
        for setting, reference in pairs
        if tables.ranked(metric, setting) and tables.ranked(metric, reference)
    ]
    rank_sums = [
        compare_ranks(tables.ranked(metric, setting), tables.ranked(metric, reference)) for setting, reference in known
    ]
    adjusted = holm([rank_sum.p_value for rank_sum in rank_sums])
    return tuple(
        RankedPair(setting, reference, (tables.labels[setting], tables.labels[reference]), rank_sum, p)
        for (setting, reference), rank_sum, p in zip(known, rank_sums, adjusted, strict=True)
    )


def claimed_pair(tables: Tables, metric: str, left: str, right: str) -> RankedPair | None:
    """One setting against another as a claim compares them; None where one has no finished trial.

    With the baseline it is adjusted for all comparisons with that, else for those that claims make.
    """
    if tables.baseline in (left, right):
        family = [(key, str(tables.baseline)) for key in tables.labels if key != tables.baseline]
    else:
        family = list(tables.planned.get(metric, ()))
    others = [pair for pair in family if set(pair) != {left, right}]
    pairs = rank_pairs(tables, metric, [(left, right), *others])
    return next((pair for pair in pairs if (pair.setting, pair.reference) == (left, right)), None)


def family_by_ranks(tables: Tables, metric: str) -> Family | None:
    """All settings with the baseline, or among each other; None where there is nothing to compare yet."""
    keys = list(tables.labels)
    if tables.baseline is None:
        pairs = [(later, earlier) for earlier, later in combinations(keys, 2)]
    else:
        pairs = [(key, tables.baseline) for key in keys if key != tables.baseline]
    ranked_pairs = rank_pairs(tables, metric, pairs)
    if not ranked_pairs:
        return None
    kind = "pairs" if tables.baseline is None else "baseline"
    return Family(metric, kind, METHOD, _WHY, tuple(_comparison(metric, ranked_pair) for ranked_pair in ranked_pairs))  # type: ignore[arg-type]


def _comparison(metric: str, pair: RankedPair) -> SettingComparison:
    return SettingComparison(
        metric,
        pair.setting,
        pair.reference,
        *(None, None, None),
        pair.p,
        pair.verdict,
        pair.sentence,
        min(pair.rank_sum.counts),
        test="rank-sum",
    )
