"""One family for all that is tested in a study: how its 5% are shared, before any number is seen.

Many tests at 5% each would find something in nothing. So the claims get one half of the 5%, in equal parts, and the
comparisons of the tables the other half; where there is only one of the two, it gets all. Comparisons that share a part
are adjusted among themselves after Holm. By Bonferroni's inequality the chance of any false call is then 5% in total,
whatever depends on what.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from cnnlab.core.measurements import Metric
from cnnlab.evaluation import SequentialDesign
from cnnlab.evaluation.comparison.multiple_comparisons import holm
from cnnlab.studies.claim_grammar import BestClaim, BoundClaim, ComparisonClaim, NoDifferenceClaim, SpreadClaim
from cnnlab.studies.statistics.resolved_claims import ResolvedClaim

ERROR_RATE = 0.05
"""The chance of any false call in a study."""
MOST_PAIRED = 30
"""Settings up to which all pairs are compared."""
_NONE = 1e-9
Pair = tuple[str, str]
"""Keys of two settings, the one compared first."""


@dataclass(frozen=True)
class ComparisonGroup:
    """Comparisons on one metric that share a part of the error rate.

    :param share: of :data:`ERROR_RATE`.
    """

    metric: str
    pairs: tuple[Pair, ...]
    share: float


@dataclass(frozen=True)
class SequentialLook:
    """One look of several at the numbers of a study to which repeats are added; the error is shared among looks."""

    design: SequentialDesign
    repeats: int


@dataclass(frozen=True)
class TableOfComparisons:
    """How many comparisons stand in the table of a metric.

    :param claimed: those of them that are tested with the claims, and have their part of the error rate.
    """

    label: str
    rows: int
    claimed: int


@dataclass(frozen=True)
class StudyFamily:
    """All that is tested in a study.

    :param groups: of comparisons; every pair of settings is in one of them at most for each metric.
    :param claim_share: of a claim that is tested by itself: one of a level or a spread, or over several pairs of
        settings.
    :param claims: how many tests they take.
    :param tables: the comparisons that stand in tables.
    :param look: where there are several.
    """

    groups: tuple[ComparisonGroup, ...]
    claim_share: float
    claims: int
    tables: tuple[TableOfComparisons, ...]
    look: SequentialLook | None = None

    @cached_property
    def _by_pair(self) -> dict[tuple[str, frozenset[str]], ComparisonGroup]:
        return {(group.metric, frozenset(pair)): group for group in self.groups for pair in group.pairs}

    def group_of(self, metric: str, left: str, right: str) -> ComparisonGroup | None:
        """The group in which two settings are compared; None where nobody asked for that."""
        return self._by_pair.get((metric, frozenset((left, right))))

    def error(self, share: float, tests: int = 1) -> float:
        """The chance of a false call that so many tests may have, together and at this look.

        :param share: of :data:`ERROR_RATE`, that they have among them over all looks.
        """
        if self.look is None:
            return ERROR_RATE * share
        return max(tests * self.look.design.error_at(self.look.repeats, share / tests), _NONE)

    @property
    def words(self) -> str:
        """What is tested and how the chance of a false call is held; empty where nothing is."""
        rows, claimed = (sum(getattr(table, name) for table in self.tables) for name in ("rows", "claimed"))
        parts = [f"{self.claims} {'test' if self.claims == 1 else 'tests'} of claims"] if self.claims else []
        if rows:
            labels = _listed([table.label for table in self.tables if table.rows])
            parts.append(f"{rows} {'comparison' if rows == 1 else 'comparisons'} of settings on {labels}")
        if not parts:
            return ""
        which = "This comparison" if rows == 1 else f"{claimed} of these comparisons"
        with_claims = f" {which} {'is' if claimed == 1 else 'are'} tested with the claims."
        text = f"All that is tested here is one family: {' and '.join(parts)}.{with_claims if claimed else ''}"
        others = rows - claimed
        if self.claims + others == 1:
            return f"{text} A false call has a chance of 5%."
        text += " The chance of any false call among them is 5% in total"
        if self.claims and others:
            rest = "other comparisons" if claimed else "comparisons"
            text += f": half of it is for the claims, in equal parts, and half for the {rest}"
        return f"{text}. p-values are adjusted for that, so each is to be held against 5%; intervals hold all at once."


def study_family(
    claims: Iterable[ResolvedClaim],
    metrics: Sequence[Metric],
    settings: Sequence[str],
    baseline: str | None,
    apart: Sequence[Pair] = (),
) -> StudyFamily:
    """The family of a study.

    :param metrics: by which settings are compared in tables; none where nothing is but claims.
    :param settings: keys of all of them, whether trained or not.
    :param apart: what is compared besides, on the first metric, each pair by itself: ensembles with their best members.
    """
    taken: set[tuple[str, frozenset[str]]] = set()

    def new(metric: str, pairs: Iterable[Pair]) -> tuple[Pair, ...]:
        """Those that are in no group yet; they are from now on."""
        left = {frozenset(pair): pair for pair in pairs if (metric, frozenset(pair)) not in taken}
        taken.update((metric, pair) for pair in left)
        return tuple(left.values())

    claims = list(claims)
    claimed = [(metric, new(metric, pairs)) for metric, pairs in _claimed_pairs(claims).items()]
    led = [(metric, pairs) for metric, every in _led(claims, settings) if (pairs := new(metric, every))]
    alone = {_identity(resolved) for resolved in claims if _is_alone(resolved)}
    whole = table_pairs(settings, baseline)
    asked: list[tuple[Metric, tuple[Pair, ...]]] = [(metric, whole) for metric in metrics]
    asked += [(metric, (pair,)) for metric in metrics[:1] for pair in apart]
    tables = [(metric, new(metric.name, pairs)) for metric, pairs in asked]
    tests = sum(len(pairs) for _, pairs in claimed) + len(led) + len(alone)
    count = sum(len(pairs) for _, pairs in tables)
    for_claims = (0.5 if count else 1.0) / max(1, tests)
    for_comparisons = (0.5 if tests else 1.0) / max(1, count)
    groups = (
        *(ComparisonGroup(metric, pairs, for_claims * len(pairs)) for metric, pairs in claimed),
        *(ComparisonGroup(metric, pairs, for_claims) for metric, pairs in led),
        *(ComparisonGroup(metric.name, pairs, for_comparisons * len(pairs)) for metric, pairs in tables if pairs),
    )
    shown: dict[str, TableOfComparisons] = {}
    for (metric, every), (_, pairs) in zip(asked, tables, strict=True):
        before = shown.get(metric.label, TableOfComparisons(metric.label, 0, 0))
        claimed_too = before.claimed + len(every) - len(pairs)
        shown[metric.label] = TableOfComparisons(metric.label, before.rows + len(every), claimed_too)
    return StudyFamily(groups, for_claims, tests, tuple(shown.values()))


def table_pairs(settings: Sequence[str], baseline: str | None) -> tuple[Pair, ...]:
    """The comparisons of a table: each setting with the baseline, or where there is none the later with the earlier."""
    if baseline is not None:
        return tuple((key, baseline) for key in settings if key != baseline)
    if len(settings) > MOST_PAIRED:
        return ()
    return tuple((later, earlier) for earlier, later in combinations(settings, 2))


def adjusted(p_values: Sequence[float], error: float) -> list[float]:
    """After Holm among themselves, and for what they may err; to be held against :data:`ERROR_RATE`."""
    return [against_error_rate(p, error) for p in holm(p_values)]


def against_error_rate(p: float, error: float) -> float:
    """A p-value that is to be held against ``error``, as one to be held against :data:`ERROR_RATE`."""
    return min(1.0, p * ERROR_RATE / error)


def _claimed_pairs(claims: Iterable[ResolvedClaim]) -> dict[str, list[Pair]]:
    """By metric the pairs of settings that claims compare."""
    by_metric: dict[str, list[Pair]] = {}
    for resolved in claims:
        if isinstance(resolved.claim, ComparisonClaim | NoDifferenceClaim) and len(resolved.pairs) == 1:
            left, right = resolved.pairs[0]
            by_metric.setdefault(resolved.metric.name, []).append((left, str(right)))
    return by_metric


def _led(claims: Iterable[ResolvedClaim], settings: Sequence[str]) -> list[tuple[str, list[Pair]]]:
    """The comparisons of each setting that is claimed to be the best."""
    best = [
        (resolved.metric.name, resolved.pairs[0][0]) for resolved in claims if isinstance(resolved.claim, BestClaim)
    ]
    return [(metric, [(key, other) for other in settings if other != key]) for metric, key in best]


def _is_alone(resolved: ResolvedClaim) -> bool:
    """Whether it is tested by itself."""
    return isinstance(resolved.claim, BoundClaim | SpreadClaim) or len(resolved.pairs) > 1


def _identity(resolved: ResolvedClaim) -> tuple[object, ...]:
    """What is tested: of two levels for the same settings one interval tells, and of two spreads."""
    kind = type(resolved.claim) if isinstance(resolved.claim, BoundClaim | SpreadClaim) else None
    pairs = resolved.pairs if kind is not SpreadClaim else map(frozenset, resolved.pairs)
    return kind, resolved.metric.name, frozenset(pairs)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
