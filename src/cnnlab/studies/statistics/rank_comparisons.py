"""Settings compared by ranks, where some of their trials have no number and are known to come last.

They diverged, or never came to the level in question. To leave them out would flatter the setting that fails most.
"""

from collections.abc import Sequence
from itertools import count
from math import comb

from cnnlab.core.measurements import Metric
from cnnlab.evaluation.comparison.rank_sum_test import compare_ranks
from cnnlab.studies.result import ComparisonVerdict, SettingComparison
from cnnlab.studies.statistics.multiplicity import ERROR_RATE, Pair, adjusted
from cnnlab.studies.statistics.pair_results import PairResults
from cnnlab.studies.statistics.tables import Tables

RANK_SUM = "rank-sum"
METHOD = "Rank-sum test by permutation, Holm"
_WHY = (
    "Trials that {what} have no number and come last, so settings that have such are compared by ranks (rank-sum test "
    "by permutation, adjusted after Holm)."
)


def by_ranks(tables: Tables, metric: Metric, pairs: Sequence[Pair], error: float) -> PairResults:
    """Pairs of settings of which one has trials that come last.

    :param error: the chance of a false call that these pairs may have among them.
    """
    ranks = {key: tables.ranked(metric.name, key) for pair in pairs for key in pair}
    known = [pair for pair in pairs if ranks[pair[0]] and ranks[pair[1]]]
    results = [compare_ranks(ranks[left], ranks[right]) for left, right in known]
    p_values = adjusted([result.p_value for result in results], error)
    tested = {
        pair: (p, result.is_higher, min(result.counts))
        for pair, result, p in zip(known, results, p_values, strict=True)
    }
    found = []
    for pair in pairs:
        p, is_higher, repeats = tested.get(pair, (None, None, 0))
        last = " and ".join(text for key in pair if (text := _last(tables, metric, key)))
        enough = _enough(ranks[pair[0]], ranks[pair[1]], p)
        found.append(
            SettingComparison(
                metric.name,
                *pair,
                *(None, None, None, p),
                verdict=_verdict(p, is_higher),
                sentence="",
                repeats=repeats,
                test=RANK_SUM,
                details=last
                if enough is None
                else f"{last}; {enough} repeats of each that overlap as little would tell",
                why="" if pair in tested else "there are no values",
            )
        )
    what = "never came to the level or diverged" if metric.is_level else "diverged"
    return PairResults("ranks", tuple(found), METHOD, _WHY.format(what=what))


def _verdict(p: float | None, is_higher: bool | None) -> ComparisonVerdict:
    """Of the first setting, low ranks being the better."""
    if p is None:
        return "untested"
    if p > ERROR_RATE or is_higher is None:
        return "undecided"
    return "worse" if is_higher else "better"


def _enough(left: Sequence[float], right: Sequence[float], p: float | None) -> int | None:
    """With how many repeats of each two settings would be told apart that do not overlap, and now are too few to be."""
    if p is None or p <= ERROR_RATE or not (max(left) < min(right) or max(right) < min(left)):
        return None
    # How much the adjustment for many makes of a p-value.
    factor = p / compare_ranks(left, right).p_value
    return next(n for n in count(max(len(left), len(right)) + 1) if factor * 2 / comb(2 * n, n) <= ERROR_RATE)


def _last(tables: Tables, metric: Metric, key: str) -> str:
    """Which of a setting's trials come last, in words."""
    late = len(tables.unreached.get(metric.name, {}).get(key, {}))
    diverged = tables.last(metric.name, key) - late
    total = len(tables.ranked(metric.name, key))
    label = tables.labels[key]
    parts = [f"never reached by {label} in {late} of {total} repeats"] if late else []
    parts += [f"{label} diverged in {diverged} of {total} repeats"] if diverged else []
    return " and ".join(parts)
