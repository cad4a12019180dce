"""What is tested how, settled before any difference between settings is looked at."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from cnnlab.evaluation.comparison.anova import AdditiveFit, Array, fit_additive
from cnnlab.evaluation.comparison.multiple_comparisons import FamilyKind, LargestT, Pairs
from cnnlab.evaluation.comparison.own_variances import OwnVarianceFit, fit_own_variances
from cnnlab.evaluation.intervals import least_variance
from cnnlab.evaluation.student_t import t_quantile

SEPARATE = "Banerjee's t"
Asked: TypeAlias = FamilyKind | Literal["planned"]
Test: TypeAlias = Literal["auto", "pooled", "paired", "permutation"]


@dataclass(frozen=True, eq=False)
class ComparisonPlan:
    """The test of every difference of a family.

    :param table: B×K, NaN where a value is missing.
    :param pairs: every difference asked for; ``meant`` are those of settings that have values.
    :param known: places of the settings that have values, in the order in which the fits have them.
    :param own: the fit with a variance for each setting, and ``pooled`` that with one for all; None where fewer than
        two settings have values.
    :param least: what the variance of repeats is taken to be at the least.
    """

    table: Array
    pairs: Pairs
    family: Asked
    level: float
    test: Test
    is_blocked: bool
    known: tuple[int, ...]
    own: OwnVarianceFit | None
    pooled: AdditiveFit | None
    least: float

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
        """Whether p-values are adjusted after Holm: wherever they are not those of the largest of all t."""
        return self.test != "pooled" or self.family == "planned"

    @cached_property
    def largest(self) -> LargestT | None:
        """The distribution of the largest t, where one variance serves all differences."""
        if self.pooled is None or self.by_holm or not self.meant:
            return None
        places = tuple((self.known.index(one), self.known.index(other)) for one, other in self.meant)
        return LargestT(places, self.pooled.covariance)

    @cached_property
    def critical(self) -> float:
        """What a t statistic by the pooled variance must exceed."""
        df = self.pooled.df if self.pooled else 0
        if self.largest is None:
            return t_quantile(self.single_level, df)
        return self.largest.critical(self.level, df)

    def test_name(self, own: str) -> str:
        """What a test is called that is adjusted after Holm, where there is anything to adjust for."""
        return f"{own}, Holm" if len(self.meant) > 1 else own

    @property
    def pooled_name(self) -> str:
        """What the test by the pooled variance is called."""
        if len(self.known) == 2:
            return "paired t" if self.is_blocked else "two-sample t"
        if self.family == "planned":
            return self.test_name("pooled t")
        return "Dunnett" if self.family == "baseline" else "Tukey"

    @property
    def own_name(self) -> str:
        """What the test by the settings' own variances is called."""
        if len(self.known) > 2:
            return self.test_name("moderated t")
        if self.is_blocked:
            return "paired t"
        return "Welch's t" if len({count for count in self.counts if count}) == 1 else SEPARATE


def choose_tests(
    table: Array, pairs: Pairs, family: Asked, *, level: float, test: Test, blocked: bool, step: float
) -> ComparisonPlan:
    """The plan for these values."""
    known = tuple(place for place in range(table.shape[1]) if np.isfinite(table[:, place]).any())
    least, values = least_variance(step), table[:, known]
    several = len(known) > 1
    own = fit_own_variances(values, blocked=blocked, floor=least) if several else None
    pooled = fit_additive(values, blocked=blocked, floor=least) if several else None
    return ComparisonPlan(table, pairs, family, level, test, blocked, known, own, pooled, least)
