"""Intervals worked by hand, and at the ends where formulas break; against libraries, see tests/parity."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import Interval, mean_interval, paired_interval, score_interval, two_sample_interval, wilson
from cnnlab.evaluation.intervals import tango

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
    # Three repeats of three epochs each vary by half an epoch: half a width of 4.3027 / 2 / √3.
    found = mean_interval([3, 3, 3], step=1)
    assert found is not None and (found.low, found.high) == pytest.approx((3 - 1.2421, 3 + 1.2421), abs=1e-4)


@pytest.mark.parametrize("repeats", [2, 3, 5, 10])
def test_values_that_fall_to_either_of_two_steps_are_covered_as_often_as_promised(repeats: int) -> None:
    generator = np.random.default_rng(repeats)
    for share in (0.1, 0.3, 0.5):
        counted = 5.0 + generator.binomial(1, share, (400, repeats))
        intervals = [mean_interval(row, step=1) for row in counted]
        covered = sum(found is not None and 5 + share in found for found in intervals)
        assert covered >= stats.binom.ppf(0.001, 400, 0.95)


def test_a_few_repeats_of_as_many_epochs_do_not_show_that_it_takes_no_more() -> None:
    # Five epochs in seven trainings of ten, eight in the others: 5.9 on average, not at most 5.5.
    epochs = np.random.default_rng(0).choice([5.0, 8.0], p=[0.7, 0.3], size=(2000, 3))
    for repeats in (2, 3):
        intervals = [mean_interval(row[:repeats], step=1) for row in epochs]
        assert np.mean([found is not None and found.high <= 5.5 for found in intervals]) < 0.025


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


def score_of(difference: float, only_first: int, only_second: int, n: int) -> float:
    """The score statistic of a difference, the share of disagreements by numeric maximum likelihood."""

    def minus_log_likelihood(share: float) -> float:
        logs = special.xlogy([only_first, only_second], [share + difference, share])
        return -float(logs.sum() + special.xlogy(n - only_first - only_second, 1 - 2 * share - difference))

    bounds = max(0.0, -difference), (1 - difference) / 2
    share = optimize.minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    return (only_first - only_second - n * difference) / math.sqrt(n * (2 * share + difference * (1 - difference)))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 500))
def test_tango_ends_where_the_score_test_refuses(first: int, second: int, both: int) -> None:
    n = first + second + both
    found = tango(first, second, n)
    assert found.low <= (first - second) / n <= found.high
    for end in (found.low, found.high):
        assert abs(score_of(end, first, second, n)) == pytest.approx(1.959964, abs=1e-3)


def test_tango_of_published_examples() -> None:
    # Airway hyper-responsiveness before and after transplantation, 1 and 7 of 21 (Fagerland, Lydersen and Laake,
    # Recommended tests and confidence intervals for paired binomial proportions, 2014).
    found = tango(1, 7, 21)
    assert (found.low, found.high) == pytest.approx((-0.517, -0.026), abs=5e-4)
    # With no disagreement z² / (n + z²), as Wilson's.
    assert tango(0, 0, 50).high == pytest.approx(1.959964**2 / (50 + 1.959964**2), abs=1e-6)
    assert (tango(5, 0, 5).high, tango(0, 5, 5).low) == (1.0, -1.0)
    with pytest.raises(UsageError, match="3 and 3 of 5 pictures"):
        tango(3, 3, 5)


@pytest.mark.parametrize(
    ("n", "first", "second"), [(20, 0.4, 0.1), (50, 0.2, 0.01), (100, 0.15, 0.0), (100, 0.05, 0.01)]
)
def test_tango_covers_where_few_disagreements_are_seen(n: int, first: float, second: float) -> None:
    # Exactly, over every outcome that happens at all.
    ways = ((one, other) for one in range(n + 1) for other in range(n + 1 - one))
    shares = (first, second, 1 - first - second)
    chances = {(a, b): float(stats.multinomial.pmf([a, b, n - a - b], n, shares)) for a, b in ways if a + b < 0.9 * n}
    held = sum(p for (a, b), p in chances.items() if p > 1e-6 and first - second in tango(a, b, n))
    assert held >= 0.93


def test_only_shares_of_the_images_have_wilsons_interval() -> None:
    assert score_interval("accuracy", 0.9396, 10_000) == wilson(9396, 10_000)
    assert score_interval("top5_accuracy", 0.5, 10) == wilson(5, 10)
    for metric in ("loss", "balanced_accuracy", "macro_f1"):
        assert score_interval(metric, 0.9, 100) is None
    assert score_interval("accuracy", math.nan, 100) is None


def test_an_interval_reads_as_its_ends() -> None:
    assert str(score_interval("accuracy", 0.9396, 10_000)) == "0.9348 to 0.9441"
    assert Interval(-1, 2).reversed() == Interval(-2, 1)
    assert Interval(0, 1).to_dict() == {"low": 0, "high": 1, "level": 0.95, "method": "", "over": None}


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_a_share(level: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        wilson(5, 10, level)
    with pytest.raises(UsageError, match="between 0 and 1"):
        mean_interval([1, 2], level)
