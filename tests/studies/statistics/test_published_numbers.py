"""Published numbers beside measured ones, and the words for what becomes of them."""

import numpy as np
import pytest
from known_values import ACCURACY, trial
from scipy import stats

from cnnlab.studies.result import Setting
from cnnlab.studies.statistics.published_numbers import ResolvedRow, ResolvedTable, compare_published
from cnnlab.studies.statistics.tables import Tables


def compared(values, row: ResolvedRow, images: int | None = None, tolerance: float | None = None):
    setting = Setting("s0", "flip", {}, {}, tuple(trial(seed, value, ACCURACY) for seed, value in enumerate(values)))
    tables = Tables.of([setting], range(len(values)), [ACCURACY], images={"test_accuracy": images} if images else None)
    return compare_published(ResolvedTable("a book", ACCURACY, (row,), None, tolerance), tables).rows[0]


def published(value: float) -> ResolvedRow:
    return ResolvedRow("flip", value, "s0", None)


@pytest.mark.parametrize(
    ("values", "number", "tolerance", "word", "reason"),
    [
        ((0.802, 0.798, 0.801), 0.80, 0.01, "reproduced", "within 1.00 points"),
        ((0.802, 0.798, 0.801), 0.80, None, "compatible", "the interval is 0.52 points wide either way"),
        ((0.802, 0.798, 0.801), 0.80, 0.002, "compatible", "not within the tolerance of 0.20 points"),
        # Student's t with two degrees of freedom: 4.303 times 0.1528 / sqrt(3), up to an accuracy of 1.
        ((0.60, 0.90, 0.80), 0.80, None, "compatible", "the interval is 30.64 points wide either way"),
        ((0.60, 0.90, 0.80), 0.80, 0.5, "reproduced", "within 50.00 points"),
        ((0.802, 0.798, 0.801), 0.70, None, "better", None),
        ((0.802, 0.798, 0.801), 0.90, None, "worse", None),
    ],
)
def test_reproduced_is_an_interval_within_a_stated_tolerance(values, number, tolerance, word, reason):
    row = compared(values, published(number), tolerance=tolerance)
    assert row.word == word
    assert row.reason is None if reason is None else reason in row.reason


def test_a_deficit_beyond_the_tolerance_is_hardly_ever_called_reproduced():
    generator, called = np.random.default_rng(1), 0
    for _ in range(400):
        values = generator.normal(0.94, 0.002, 2).tolist()
        called += compared(values, published(0.95), 10_000, tolerance=0.009).word == "reproduced"
    # Ten expected at most, for a deficit at the very edge; this one is a little beyond.
    assert called <= 15


@pytest.mark.parametrize("number", [0.80, 0.95, 0.99])
def test_one_training_decides_nothing_of_a_published_number(number):
    row = compared((0.95,), published(number), images=10_000)
    assert row.word == "undecided" and row.reason == "one training tells nothing of how trainings differ"
    assert (row.measured, row.low, row.high) == (0.95, None, None)


def test_failures_are_named_and_survivors_speak_for_no_setting():
    few = compared((0.95, "nan", "crash"), published(0.90))
    assert few.word == "undecided" and "2 of 3 repeats failed (seed 1 diverged, seed 2 died)" in few.reason
    row = (0.951, 0.950, 0.952, "nan")
    for number in (0.90, 0.951):
        assert compared(row, published(number), tolerance=0.01).word == "undecided"
    assert compared(row, published(0.99)).word == "worse"
    assert "1 of 4 repeats failed (seed 3 diverged)" in compared(row, published(0.99)).reason
    assert compared(("nan",), published(0.9)).word == "not measured"


def test_a_published_spread_counts_and_is_said():
    values = (0.81, 0.80, 0.82, 0.81)
    exact = compared(values, published(0.795))
    spread = compared(values, ResolvedRow("flip", 0.795, "s0", "theirs", 0.02, 4))
    assert (exact.word, exact.reason) == ("better", None)
    assert spread.word == "compatible"
    assert spread.reason.endswith(
        "by Student's t of both sides, theirs with the SD of 2.00 points over 4 repeats; theirs"
    )
    p = stats.ttest_ind_from_stats(0.81, stats.tstd(values), 4, 0.795, 0.02, 4, equal_var=False).pvalue
    assert p > 0.05 and spread.low < 0 < spread.high


@pytest.mark.parametrize(("std", "n"), [(0.02, None), (None, 4), (0.0, 4)])
def test_without_both_spread_and_repeats_a_published_number_is_taken_as_exact(std, n):
    values = (0.81, 0.80, 0.82, 0.81)
    assert compared(values, ResolvedRow("flip", 0.795, "s0", None, std, n)) == compared(values, published(0.795))


def test_a_published_number_of_one_training_scatters_as_ours_do():
    values = (0.81, 0.80, 0.82, 0.81)
    found = compared(values, ResolvedRow("flip", 0.795, "s0", "theirs", None, 1))
    # The prediction interval for one more value: scipy's t for the four and the one, which has no spread of its own.
    half = stats.t(3).ppf(0.975) * stats.tstd(values) * (1 + 1 / 4) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.015 - half, 0.015 + half))
    assert (found.word, compared(values, published(0.795)).word) == ("compatible", "better")
    assert found.reason == "one more training like these would lie within 2.91 points of them in 95% of cases; theirs"
    better = compared(values, ResolvedRow("flip", 0.75, "s0", None, None, 1))
    assert (better.word, better.reason) == ("better", "theirs is one training, taken to scatter as these do")


def test_repeats_that_agree_are_as_sure_as_their_images_allow():
    counted = compared((0.8, 0.8, 0.8), published(0.795), images=10)
    assert counted.low < counted.difference < counted.high
    assert counted.word == "compatible" and "too few repeats" in counted.reason
    bare = compared((0.8, 0.8, 0.8), published(0.795))
    assert (bare.word, bare.reason) == ("undecided", "repeats that all agree tell nothing of the spread")
    spread = compared((0.8, 0.8, 0.8), ResolvedRow("flip", 0.795, "s0", None, 0.001, 5), images=10)
    assert spread.high - spread.low > 0.1
