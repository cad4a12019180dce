"""The ratio of two standard deviations over pairs, by the test of Pitman and Morgan."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.spread_ratio import spread_ratio, usual_ratio

FIRST, SECOND = (2, 0, -2, 0), (1, 1, -1, -1)


def test_four_pairs_worked_by_hand():
    """Squares sum to 8 and 4, products to 4; sums (3, 1, -3, -1) and differences (1, -1, -1, 1) correlate by 4/√80."""
    found = spread_ratio(FIRST, SECOND)
    assert found.ratio == pytest.approx(2**0.5)
    assert found.correlation == pytest.approx(4 / 32**0.5)
    # With two degrees of freedom Student's t has p = 1 - |r|.
    assert found.p_value == pytest.approx(1 - 4 / 80**0.5)
    assert found.n == 4


def test_p_is_that_of_the_correlation_of_sum_and_difference():
    source = np.random.default_rng(1)
    for count in (3, 5, 30):
        one, other = source.normal(size=(2, count)) * [[2.0], [1.0]]
        assert spread_ratio(one, other).p_value == pytest.approx(stats.pearsonr(one + other, one - other).pvalue)


@given(st.integers(0, 10_000), st.floats(-0.9, 0.9), st.floats(0.2, 5.0))
def test_the_interval_holds_the_ratios_that_the_test_does_not_reject(seed, correlation, scale):
    source = np.random.default_rng(seed)
    one, noise = source.normal(size=(2, 6))
    other = scale * (correlation * one + (1 - correlation**2) ** 0.5 * noise)
    found = spread_ratio(one, other)
    assert found.low < found.ratio < found.high
    # At an end of the interval, that ratio taken out, the test is right at its level.
    for end in (found.low, found.high):
        assert spread_ratio(one / end, other).p_value == pytest.approx(0.05, rel=1e-6)


def test_of_normal_pairs_however_correlated_it_errs_in_five_percent():
    source = np.random.default_rng(2)
    for correlation in (0.0, 0.8):
        pairs = source.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size=(1500, 5))
        errors = np.mean([spread_ratio(*pair.T).p_value < 0.05 for pair in pairs])
        # Three standard errors of 1500.
        assert errors == pytest.approx(0.05, abs=0.017)


def test_pairs_that_move_together_are_told_apart_without_doubt():
    found = spread_ratio([2, 4, 6, 8], [1, 2, 3, 4])
    assert (found.ratio, found.low, found.high, found.p_value) == pytest.approx((2, 2, 2, 0))
    assert spread_ratio([1, 2, 3], [1, 2, 3]).p_value == 1


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ([1, 2], [1, 3], "3 pairs of numbers or more, and there are 2"),
        ([1, 2, 3], [1, 2], "there are 0"),
        ([0.9, 0.9, 0.9], [0.8, 0.9, 0.7], "the same in every repeat"),
    ],
)
def test_what_has_no_ratio_is_refused(first, second, why):
    with pytest.raises(UsageError, match=why):
        spread_ratio(first, second)


def test_what_is_usual_is_a_quantile_of_f():
    assert usual_ratio(5) == pytest.approx(stats.f.ppf(0.975, 4, 4) ** 0.5)
    # Of the table of F: 9.60 with four and four degrees of freedom.
    assert usual_ratio(5) == pytest.approx(9.60**0.5, rel=1e-3)
