"""Intervals worked by hand, and at the ends where formulas break; against libraries, see tests/parity."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import Interval, mean_interval, paired_interval, score_interval, two_sample_interval, wilson

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
# Shares as they are measured: what scipy is compared with divides by numbers that no share comes near.
SHARES = st.floats(0, 1).map(lambda share: round(share, 9))
VALUES = st.lists(SHARES, min_size=2, max_size=8)


@given(COUNTS)
def test_wilson_holds_the_share_stays_within_0_and_1_and_mirrors(counts: tuple[int, int]) -> None:
    right, n = counts
    interval, mirrored = wilson(right, n), wilson(n - right, n)
    assert interval is not None and mirrored is not None
    assert right / n in interval
    assert interval.low >= 0 and interval.high <= 1
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)


def test_no_images_have_no_interval_and_more_right_than_images_is_refused() -> None:
    assert wilson(0, 0) is None
    with pytest.raises(UsageError, match="11 right of 10"):
        wilson(11, 10)


def test_all_right_is_not_certain() -> None:
    interval = wilson(359, 359)
    assert interval is not None
    assert interval.high == 1.0
    assert interval.low == pytest.approx(359 / (359 + 1.959963985**2), abs=1e-9)


def test_mean_interval_worked_by_hand() -> None:
    # Mean 2, SD 1, and Student's t with two degrees of freedom is 4.3027 at 95%.
    interval = mean_interval([1, 2, 3])
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(
        (2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)), abs=1e-5
    )


def test_one_value_has_no_interval_and_those_that_are_not_finite_do_not_count() -> None:
    assert mean_interval([0.5]) is None
    assert mean_interval([0.5, math.nan, math.inf]) is None
    assert mean_interval([0.4, math.nan, 0.6]) == mean_interval([0.4, 0.6])


def test_equal_values_tell_nothing_of_their_spread_unless_they_were_counted() -> None:
    assert mean_interval([0.5, 0.5, 0.5]) is None
    # Three repeats of three epochs each: half a width of 4.3027 / √12 / √3.
    interval = mean_interval([3, 3, 3], step=1)
    assert interval is not None and (interval.low, interval.high) == pytest.approx((3 - 0.7171, 3 + 0.7171), abs=1e-4)


def test_rounding_adds_nothing_to_a_spread_that_is_larger() -> None:
    assert mean_interval([1, 2, 3], step=1) == mean_interval([1, 2, 3])


def test_the_interval_of_a_share_can_be_kept_within_what_is_possible() -> None:
    interval = mean_interval([0.99, 1.0, 0.98], within=(0, 1))
    assert interval is not None and interval.high == 1.0 and interval.low < 0.98


@given(VALUES, st.data())
def test_paired_interval_turns_its_sign_with_the_pair(values: list[float], data: st.DataObject) -> None:
    others = data.draw(st.lists(SHARES, min_size=len(values), max_size=len(values)))
    found, turned = paired_interval(values, others), paired_interval(others, values)
    assert (found is None) == (turned is None)
    if found is not None and turned is not None:
        assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low), abs=1e-12)


def test_two_samples_need_two_values_each() -> None:
    assert two_sample_interval([0.91, 0.92, 0.90], [0.5]) is None


def test_only_shares_of_the_images_have_wilsons_interval() -> None:
    assert score_interval("accuracy", 0.9396, 10_000) == wilson(9396, 10_000)
    assert score_interval("top5_accuracy", 0.5, 10) == wilson(5, 10)
    for metric in ("loss", "balanced_accuracy", "macro_f1"):
        assert score_interval(metric, 0.9, 100) is None
    assert score_interval("accuracy", math.nan, 100) is None


def test_an_interval_reads_as_its_ends() -> None:
    assert str(score_interval("accuracy", 0.9396, 10_000)) == "0.9348 to 0.9441"
    assert Interval(-1, 2).reversed() == Interval(-2, 1)
    assert Interval(0, 1).to_dict() == {"low": 0, "high": 1, "level": 0.95, "method": ""}


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_a_share(level: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        wilson(5, 10, level)
    with pytest.raises(UsageError, match="between 0 and 1"):
        mean_interval([1, 2], level)
