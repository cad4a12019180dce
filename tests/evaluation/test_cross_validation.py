"""The cross-validated score and its interval."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import FoldScore, corrected_interval, cross_validated, mean_interval

ROOT = Path(__file__).parents[2]
FIVE = [FoldScore(value, 20, 80) for value in (0.7, 0.75, 0.8, 0.75, 0.7)]


def test_the_score_counts_each_fold_by_its_pictures() -> None:
    assert cross_validated([FoldScore(1.0, 3, 6), FoldScore(0.4, 1, 8)]) == pytest.approx((3 * 1.0 + 0.4) / 4)


def test_the_interval_is_that_of_nadeau_and_bengio() -> None:
    # By hand: the mean is 0.74, s² = 0.007 / 4 = 0.00175, and 1/5 + 20/80 = 0.45.
    interval = corrected_interval(FIVE)
    half = stats.t.ppf(0.975, 4) * np.sqrt(0.00175 * 0.45)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.74 - half, 0.74 + half))
    assert (interval.over, interval.method) == ("repeats and pictures", "corrected t over 5 folds")


def test_it_is_half_again_as_wide_as_one_that_takes_five_folds_for_independent() -> None:
    plain, corrected = mean_interval([fold.value for fold in FIVE]), corrected_interval(FIVE)
    assert plain is not None and corrected is not None
    assert corrected.width / plain.width == pytest.approx(np.sqrt(0.45 / 0.2))


def test_it_stays_within_what_can_be() -> None:
    interval = corrected_interval([FoldScore(0.9, 10, 10), FoldScore(1.0, 10, 10)], within=(0, 1))
    assert interval is not None and (interval.low, interval.high) == (0, 1)


def test_folds_that_agree_have_an_interval_by_the_step_in_which_they_are_counted() -> None:
    same = [FoldScore(0.8, 10, 20)] * 3
    assert corrected_interval(same) is None
    interval = corrected_interval(same, step=0.1)
    half = stats.t.ppf(0.975, 2) * np.sqrt(0.1**2 / 4 * (1 / 3 + 1 / 2))
    assert interval is not None and interval.width == pytest.approx(2 * half)


@pytest.mark.parametrize("values", [[0.5], [0.5, float("nan")]])
def test_there_is_none_where_a_fold_has_no_score(values: list[float]) -> None:
    assert corrected_interval([FoldScore(value, 10, 10) for value in values]) is None


def test_no_folds_are_refused() -> None:
    with pytest.raises(UsageError, match="there are none"):
        cross_validated([])


@pytest.mark.slow(4)
def test_it_covers_the_truth_where_intervals_that_take_folds_for_independent_do_not() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import cross_validation as simulated
    finally:
        sys.path.pop(0)
    found = simulated.coverage("nearest neighbour", 120, 10, studies=400, trainings=100)
    # Two standard errors of a share of 95% of 400 are 2.2%; the plain interval covers 89% and less.
    assert found.covered["corrected t over folds"] >= 0.95 - 0.022
    assert found.covered["plain t over folds"] < 0.95 - 0.022
    assert found.covered["Wilson over points"] < 0.95 - 0.022
