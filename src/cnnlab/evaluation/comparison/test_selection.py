"""What is tested how, settled before any difference between settings is looked at."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from cnnlab.evaluation.comparison.anova import AdditiveFit, Array, fit_additive
from cnnlab.evaluation.comparison.equal_variances import unequal_variances
from cnnlab.evaluation.comparison.multiple_comparisons import FamilyKind, LargestT, Pairs
from cnnlab.evaluation.student_t import t_quantile

Asked: TypeAlias = FamilyKind | Literal["planned"]
Test: TypeAlias = Literal["auto", "pooled", "paired", "permutation"]


@dataclass(frozen=True, eq=False)
class ComparisonPlan:
    """The settings that share one spread, those that are tested by their own, and the family of differences.

    :param table: B×K, NaN where a value is missing.
    :param pairs: every difference asked for; ``meant`` are those of settings that have values.
    :param calm: places of the settings whose spread is pooled in ``fit``; none where ``fit`` is None.
    :param own: places of the settings tested by their own differences; ``unlike`` those that scatter unlike the rest,
        whatever is done about it.
    """

    table: Array
    pairs: Pairs
    family: Asked
    level: float
    test: Test
    calm: tuple[int, ...]
    own: tuple[int, ...]
    unlike: tuple[int, ...]
    fit: AdditiveFit | None
    is_blocked: bool

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """How many values each setting has."""
        return tuple(int(count) for count in np.isfinite(self.table).sum(axis=0))

    @cached_property
    def meant(self) -> Pairs:
        """The differences of settings that have values."""
        return tuple(pair for pair in self.pairs if self.counts[pair[0]] and self.counts[pair[1]])

    @property
    def single_level(self) -> float:
        """The level of each difference by itself that holds the level of all (Bonferroni)."""
        return 1 - (1 - self.level) / max(1, len(self.meant))

    @property
    def is_complete(self) -> bool:
        """Whether all settings that have values have one for every seed, or as many where seeds do not count."""
        if not self.is_blocked:
            return len(set(self.counts) - {0}) < 2
        known = np.isfinite(self.table)
        return bool(known[known.any(axis=1)][:, known.any(axis=0)].all())

    @property
    def by_holm(self) -> bool:
        """Whether p-values are adjusted after Holm: planned differences, and those that have not all one variance."""
        return bool(self.own) or self.family == "planned"

    @cached_property
    def largest(self) -> LargestT | None:
        """The distribution of the largest t, where one spread serves all differences."""
        if self.fit is None or self.by_holm or not self.meant:
            return None
        places = {setting: place for place, setting in enumerate(self.calm)}
        return LargestT(tuple((places[first], places[second]) for first, second in self.meant), self.fit.covariance)

    @cached_property
    def critical(self) -> float:
        """What a t statistic by the pooled spread must exceed."""
        df = self.fit.df if self.fit else 0
        if self.largest is None:
            return t_quantile(self.single_level, df)
        return self.largest.critical(self.level, df)

    @property
    def pooled_name(self) -> str:
        """What the test by the pooled spread is called."""
        if self.own:
            return "pooled t, Holm"
        if len(self.calm) == 2:
            return "paired t" if self.is_blocked else "two-sample t"
        if self.family == "planned":
            return "pooled t, Holm" if len(self.meant) > 1 else "pooled t"
        return "Dunnett" if self.family == "baseline" else "Tukey"


def choose_tests(
    table: Array, pairs: Pairs, family: Asked, *, level: float, test: Test, blocked: bool
) -> ComparisonPlan:
    """The plan for these values."""
    known = [place for place in range(table.shape[1]) if np.isfinite(table[:, place]).any()]
    whole = fit_additive(table[:, known], blocked=blocked) if len(known) > 1 else None
    is_blocked = whole.is_blocked if whole else blocked
    unlike = [known[place] for place in unequal_variances(table[:, known])] if len(known) > 2 else []
    own = {"auto": unlike, "pooled": []}.get(test, known)
    calm = [place for place in known if place not in own]
    pooled = whole if not own else fit_additive(table[:, calm], blocked=is_blocked) if len(calm) > 1 else None
    # A spread of few settings that cannot be measured, or that share no seeds, serves nobody.
    if own and (pooled is None or not pooled.df or pooled.is_blocked != is_blocked):
        own, calm, pooled = known, [], None
    return ComparisonPlan(
        table, pairs, family, level, test, tuple(calm), tuple(own), tuple(unlike), pooled, is_blocked=is_blocked
    )
