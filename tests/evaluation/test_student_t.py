"""Student's t and Welch's difference of means, beside scipy's."""

from math import inf

import pytest
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.student_t import t_quantile, two_sided_p, welch, welch_satterthwaite

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
