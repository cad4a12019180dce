"""Likeness of maps, beside scipy's correlation, the formula of Wang et al. worked by hand, and its limits."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from cnnlab.core.errors import UsageError
from cnnlab.explain.honesty.similarity import rank_correlation, structural_similarity

DRAWS = np.random.default_rng(3)


def test_rank_correlation_is_that_of_scipy_with_ties() -> None:
    first, second = DRAWS.integers(0, 5, (3, 4, 6)), DRAWS.normal(size=(3, 4, 6)).round(1)
    wanted = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlation(first, second), wanted, atol=1e-12)


def test_rank_correlation_knows_only_the_order() -> None:
    maps = DRAWS.normal(size=(2, 5, 5))
    np.testing.assert_allclose(rank_correlation(maps, np.exp(maps)), 1)
    np.testing.assert_allclose(rank_correlation(maps, -maps), -1)


def test_what_differs_by_rounding_alone_is_in_no_order() -> None:
    flat = np.zeros((1, 40))
    flat[:, 20:] = 1
    np.testing.assert_allclose(rank_correlation(flat, flat + DRAWS.normal(size=flat.shape) * 1e-8), 1)


def test_a_constant_map_is_like_no_other_and_not_comparable_with_a_constant_one() -> None:
    found = rank_correlation([np.zeros(4), np.zeros(4)], [np.arange(4), np.full(4, 7)])
    assert found[0] == 0
    assert np.isnan(found[1])


def test_maps_of_other_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="cannot be set beside"):
        rank_correlation(np.ones((1, 4)), np.ones((1, 5)))


def test_structural_similarity_is_the_sum_over_windows_written_out() -> None:
    first, second = DRAWS.uniform(size=(2, 1, 12, 13))
    weights = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(weights, weights) / weights.sum() ** 2
    found = []
    for top in range(2):
        for left in range(3):
            a, b = (each[0, top : top + 11, left : left + 11] for each in (first, second))
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            spread_a, spread_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            common = (window * (a - mean_a) * (b - mean_b)).sum()
            steady, steady_spread = (0.01 * 2) ** 2, (0.03 * 2) ** 2
            above = (2 * mean_a * mean_b + steady) * (2 * common + steady_spread)
            found.append(above / ((mean_a**2 + mean_b**2 + steady) * (spread_a + spread_b + steady_spread)))
    np.testing.assert_allclose(structural_similarity(first, second, 2), np.mean(found), rtol=1e-10)


@pytest.mark.parametrize("size", [(2, 2), (1, 5), (28, 28)])
def test_a_map_is_like_itself_whatever_its_size(size: tuple[int, int]) -> None:
    maps = DRAWS.uniform(size=(2, *size))
    np.testing.assert_allclose(structural_similarity(maps, maps, 1), 1)
