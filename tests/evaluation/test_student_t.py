"""Student's t and Welch's difference of means beside scipy's, and several sources of chance together."""

from math import inf

import numpy as np
import pytest
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.student_t import (
    VariancePart,
    separate_t_half_width,
    separate_t_p,
    t_quantile,
    two_sided_p,
    welch,
    welch_satterthwaite,
)

FIRST, SECOND = [0.81, 0.84, 0.79, 0.86], [0.70, 0.91, 0.62]


def test_welch_is_that_of_scipy() -> None:
    difference, error, df = welch(FIRST, SECOND)
    expected = stats.ttest_ind(FIRST, SECOND, equal_var=False)
    assert (difference / error, df) == pytest.approx((expected.statistic, expected.df))
    assert two_sided_p(difference / error, df) == pytest.approx(expected.pvalue)


def test_equal_spreads_of_equally_many_have_the_degrees_of_freedom_of_both() -> None:
    # Each mean has the variance 4 / 8, so their difference has 1; (1/2 + 1/2)² / (2 × (1/4) / 7) is 14.
    assert welch_satterthwaite((4.0, 4.0), (8, 8)) == pytest.approx((1.0, 14.0))


def test_without_any_spread_the_degrees_of_freedom_are_those_of_equal_ones() -> None:
    assert welch_satterthwaite((0.0, 0.0), (3, 4)) == (0.0, 5.0)


def test_the_quantile_goes_with_the_p_value() -> None:
    assert two_sided_p(t_quantile(0.95, 7), 7) == pytest.approx(0.05)
    # The normal distribution's, with freedom without end.
    assert t_quantile(0.95, inf) == pytest.approx(1.959964, abs=1e-6)


def test_a_level_of_one_is_refused() -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        t_quantile(1.0, 5)


def test_of_one_source_of_chance_it_is_students_t() -> None:
    part = VariancePart(0.04, 3)
    assert separate_t_half_width([part], 0.9) == pytest.approx(stats.t.ppf(0.95, 3) * 0.2)
    for estimate in (0.0, 1e-6, 0.3, -2.0, 500.0):
        assert separate_t_p(estimate, [part, VariancePart(0.0, 1)]) == pytest.approx(two_sided_p(estimate / 0.2, 3))


def test_with_freedom_without_end_it_is_the_normal_of_the_sum() -> None:
    parts = [VariancePart(9.0, inf), VariancePart(16.0, inf)]
    assert separate_t_half_width(parts, 0.95) == pytest.approx(5 * stats.norm.ppf(0.975))
    assert separate_t_p(7.0, parts) == pytest.approx(2 * stats.norm.sf(1.4))


@pytest.mark.parametrize("counts", [(2, 2), (2, 5), (2, 100), (3, 10), (5, 5)])
def test_it_never_covers_less_often_than_it_says(counts: tuple[int, int]) -> None:
    # Exactly, by integration over the variances that samples would show: Banerjee's theorem.
    shares = (np.arange(400) + 0.5) / 400
    for ratio in (0.05, 0.3, 1.0, 3.0, 20.0):
        true = np.array([1 / counts[0], ratio**2 / counts[1]])
        seen = np.meshgrid(
            *(v * stats.chi2.ppf(shares, n - 1) / (n - 1) for v, n in zip(true, counts, strict=True)), indexing="ij"
        )
        squares = sum(stats.t.ppf(0.975, n - 1) ** 2 * v for v, n in zip(seen, counts, strict=True))
        assert 2 * stats.norm.sf(np.sqrt(squares / true.sum())).mean() <= 0.05
