"""The exact permutation test of pairs."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cnnlab.evaluation.comparison.permutation_test import sign_flip_interval, sign_flip_p, smallest_p

DIFFERENCES = st.lists(st.integers(-20, 20), min_size=1, max_size=9).map(lambda values: np.array(values) / 100)


@given(DIFFERENCES)
def test_it_counts_all_changes_of_sign(differences: np.ndarray) -> None:
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product([1, -1], repeat=len(differences))
    ]
    expected = np.mean([total >= abs(differences.sum()) - 1e-12 for total in sums])
    assert sign_flip_p(differences) == pytest.approx(expected)


@given(DIFFERENCES)
def test_order_sign_and_scale_of_the_differences_do_not_matter(differences: np.ndarray) -> None:
    p = sign_flip_p(differences)
    assert sign_flip_p(-differences) == p
    assert sign_flip_p(differences[::-1]) == p
    assert sign_flip_p(differences * 4) == p


def test_three_repeats_can_never_reach_five_percent() -> None:
    assert sign_flip_p(np.array([10.0, 11.0, 12.0])) == smallest_p(3) == 0.25
    assert smallest_p(5) > 0.05 > smallest_p(6)


def test_interval_ends_where_the_test_begins_to_refuse() -> None:
    differences = np.random.default_rng(0).normal(0.5, 1, 9)
    interval = sign_flip_interval(differences, 0.95)
    assert interval is not None
    step = 1e-6
    assert sign_flip_p(differences - (interval.low + step)) > 0.05 >= sign_flip_p(differences - (interval.low - step))
    assert sign_flip_p(differences - (interval.high - step)) > 0.05 >= sign_flip_p(differences - (interval.high + step))
    assert differences.mean() in interval


def test_too_few_pairs_have_no_interval() -> None:
    assert sign_flip_interval(np.array([1.0, 2.0, 3.0]), 0.95) is None


def test_many_pairs_are_drawn_and_the_same_every_time() -> None:
    differences = np.random.default_rng(1).normal(0.3, 1, 30)
    p = sign_flip_p(differences)
    assert p == sign_flip_p(differences)
    assert p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
