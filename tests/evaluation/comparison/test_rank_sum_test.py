from math import inf

import pytest
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.rank_sum_test import compare_ranks


def test_what_was_never_reached_ranks_behind_everything() -> None:
    # Of 924 ways to divide twelve, two are as extreme as six against six.
    result = compare_ranks([2, 3, 2, 2, 3, 4], [inf] * 6)
    assert result.p_value == pytest.approx(2 / 924)
    assert (result.is_higher, result.beyond, result.counts) == (False, (0, 6), (6, 6))


def test_alike_ranks_tell_nothing() -> None:
    result = compare_ranks([1, inf], [inf, 1])
    assert (result.p_value, result.is_higher) == (1.0, None)


def test_many_repeats_are_drawn_at_random_the_same_each_time() -> None:
    first, second = list(range(30)), list(range(10, 40))
    result = compare_ranks(first, second)
    expected = stats.mannwhitneyu(first, second).pvalue
    assert result.p_value == pytest.approx(expected, rel=0.5) and result.p_value > 0
    assert compare_ranks(first, second) == result


def test_a_setting_without_repeats_is_refused() -> None:
    with pytest.raises(UsageError, match="that have repeats"):
        compare_ranks([], [1.0])
