"""Measured values beside a published mean with its own spread."""

from math import hypot, sqrt

import numpy as np
import pytest
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.published_value_tests import compare_to_mean, compare_to_number

VALUES = [0.912, 0.918, 0.915]


@pytest.mark.parametrize(
    ("mean", "std", "n", "verdict"),
    [(0.90, 0.004, 5, "better"), (0.93, 0.004, 5, "worse"), (0.92, 0.02, 2, "compatible")],
)
def test_half_widths_of_both_sides_are_added_in_squares(mean: float, std: float, n: int, verdict: str) -> None:
    comparison = compare_to_mean(VALUES, mean, std, n)
    ours, theirs = stats.t.ppf(0.975, 2) * stats.sem(VALUES), stats.t.ppf(0.975, n - 1) * std / sqrt(n)
    assert comparison.interval is not None and comparison.p_value is not None
    assert comparison.interval.width / 2 == pytest.approx(hypot(ours, theirs))
    assert comparison.difference == pytest.approx((comparison.interval.low + comparison.interval.high) / 2)
    assert comparison.verdict == verdict
    # The interval at the level 1 - p ends at 0.
    ends = compare_to_mean(VALUES, mean, std, n, level=1 - comparison.p_value).interval
    assert ends is not None and min(abs(ends.low), abs(ends.high)) == pytest.approx(0, abs=1e-9)


def test_a_spread_of_next_to_nothing_leaves_the_test_beside_a_number() -> None:
    beside, exact = compare_to_mean(VALUES, 0.9, 1e-9, 5), compare_to_number(VALUES, 0.9)
    assert beside.p_value == pytest.approx(exact.p_value)
    assert (beside.interval.low, beside.interval.high) == pytest.approx((exact.interval.low, exact.interval.high))


@pytest.mark.parametrize(("repeats", "theirs"), [(2, 2), (2, 5), (2, 10), (5, 2), (3, 5)])
@pytest.mark.parametrize("ratio", [0.3, 1.0, 5.0])
def test_equal_recipes_are_called_different_in_5_percent_at_most(repeats: int, theirs: int, ratio: float) -> None:
    # Welch's test calls two against five or ten in up to 10 and 12% of cases.
    generator, calls = np.random.default_rng(repeats * theirs), 0
    for _ in range(400):
        ours, published = generator.normal(0.9, 0.004, repeats), generator.normal(0.9, ratio * 0.004, theirs)
        found = compare_to_mean(ours.tolist(), float(published.mean()), float(published.std(ddof=1)), theirs)
        calls += found.verdict in ("better", "worse")
    assert calls <= stats.binom.ppf(0.999, 400, 0.05)


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
