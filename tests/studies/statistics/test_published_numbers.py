"""Published numbers of which the spread is known."""

import pytest
from scipy import stats

from cnnlab.studies.result import Metric
from cnnlab.studies.statistics.published_numbers import ResolvedRow, ResolvedTable, compare_published
from cnnlab.studies.statistics.tables import Tables

ACCURACY = Metric("test_accuracy", "test accuracy", "share", "higher")


def compared(values: tuple[float, ...], row: ResolvedRow, images: int | None = None):
    by_seed = {"test_accuracy": {"s0": dict(enumerate(values))}}
    tables = Tables({"s0": "flip"}, tuple(range(len(values))), {"test_accuracy": ACCURACY}, by_seed)
    tables.images = {"test_accuracy": images} if images else {}
    return compare_published(ResolvedTable("a book", ACCURACY, (row,), None, None), tables).rows[0]


def test_a_published_spread_counts_and_is_said():
    values = (0.81, 0.80, 0.82, 0.81)
    exact = compared(values, ResolvedRow("flip", 0.795, "s0", None))
    spread = compared(values, ResolvedRow("flip", 0.795, "s0", "theirs", 0.02, 4))
    assert (exact.word, exact.reason) == ("better", None)
    assert spread.word == "compatible"
    assert spread.reason.endswith("by Welch's t, with the published SD of 2.00 points over 4 repeats; theirs")
    p = stats.ttest_ind_from_stats(0.81, stats.tstd(values), 4, 0.795, 0.02, 4, equal_var=False).pvalue
    assert p > 0.05 and spread.low < 0 < spread.high


@pytest.mark.parametrize(("std", "n"), [(0.02, None), (None, 4), (0.02, 1), (0.0, 4)])
def test_without_both_spread_and_repeats_a_published_number_is_taken_as_exact(std, n):
    values = (0.81, 0.80, 0.82, 0.81)
    bare = compared(values, ResolvedRow("flip", 0.795, "s0", None))
    assert compared(values, ResolvedRow("flip", 0.795, "s0", None, std, n)) == bare


def test_repeats_that_agree_are_as_sure_as_their_images_allow():
    row = ResolvedRow("flip", 0.795, "s0", None)
    counted = compared((0.8, 0.8, 0.8), row, images=10)
    assert counted.low < counted.difference < counted.high
    assert counted.word == "compatible"
    bare = compared((0.8, 0.8, 0.8), row)
    assert (bare.word, bare.reason) == ("not comparable", "repeats that all agree tell nothing of the spread")
    spread = compared((0.8, 0.8, 0.8), ResolvedRow("flip", 0.795, "s0", None, 0.001, 5), images=10)
    assert spread.high - spread.low > 0.1
