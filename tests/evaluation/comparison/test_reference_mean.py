"""Measured values beside a published mean with its own spread."""

import pytest
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.published_value_tests import compare_to_mean

VALUES = [0.912, 0.918, 0.915]


@pytest.mark.parametrize(
    ("mean", "std", "n", "verdict"),
    [(0.90, 0.004, 5, "better"), (0.93, 0.004, 5, "worse"), (0.92, 0.02, 2, "compatible")],
)
def test_two_spreads_are_compared_by_welchs_test(mean: float, std: float, n: int, verdict: str) -> None:
    comparison = compare_to_mean(VALUES, mean, std, n)
    expected = stats.ttest_ind_from_stats(
        stats.tmean(VALUES), stats.tstd(VALUES), len(VALUES), mean, std, n, equal_var=False
    )
    assert comparison.p_value == pytest.approx(expected.pvalue)
    assert comparison.verdict == verdict and comparison.interval is not None
    assert comparison.interval.method == f"Welch's t over 3 and {n} repeats"
    assert comparison.difference == pytest.approx((comparison.interval.low + comparison.interval.high) / 2)
    # The interval at the level 1 - p ends at 0.
    ends = compare_to_mean(VALUES, mean, std, n, level=1 - float(expected.pvalue)).interval
    assert ends is not None and min(abs(ends.low), abs(ends.high)) == pytest.approx(0, abs=1e-9)


def test_the_published_spread_makes_the_interval_wider() -> None:
    wide, narrow = (compare_to_mean(VALUES, 0.9, std, 5).interval for std in (0.02, 0.001))
    assert wide is not None and narrow is not None and wide.width > 2 * narrow.width


def test_lower_may_be_better_and_a_tolerance_decides() -> None:
    assert compare_to_mean(VALUES, 0.90, 0.004, 5, higher_is_better=False).verdict == "worse"
    assert compare_to_mean(VALUES, 0.914, 0.004, 5, tolerance=0.02).verdict == "reproduced"
    assert compare_to_mean(VALUES, 0.914, 0.004, 5, tolerance=0.001).verdict == "compatible"


def test_repeats_that_agree_vary_by_rounding_at_least() -> None:
    exact, counted = (compare_to_mean([0.9] * 3, 0.9, 0.001, 5, step=step).interval for step in (0.0, 0.1))
    assert exact is not None and counted is not None and counted.width > exact.width


def test_one_repeat_has_no_spread_to_compare() -> None:
    for values, std, n in (([0.9], 0.1, 5), (VALUES, 0.1, 1), (VALUES, 0.0, 5)):
        with pytest.raises(UsageError, match="2 repeats or more on both sides"):
            compare_to_mean(values, 0.9, std, n)
    with pytest.raises(UsageError, match="tolerance is more than 0"):
        compare_to_mean(VALUES, 0.9, 0.1, 5, tolerance=0.0)
