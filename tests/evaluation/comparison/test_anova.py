"""The blocked analysis of variance, and which spreads are unequal; against statsmodels, see tests/parity."""

import numpy as np
import pytest

from cnnlab.evaluation.comparison.anova import fit_additive, is_connected
from cnnlab.evaluation.comparison.equal_variances import unequal_variances

NAN = np.nan


def random_table(holes: int = 0, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    table = generator.normal(0.9, 0.01, (5, 4)) + generator.normal(0, 0.02, (5, 1))
    table.ravel()[generator.choice(20, holes, replace=False)] = NAN
    return table


def test_without_blocks_the_variance_is_within_settings() -> None:
    table = random_table(3)
    within = [column[np.isfinite(column)] for column in table.T]
    expected = sum(((column - column.mean()) ** 2).sum() for column in within) / (17 - 4)
    assert fit_additive(table, blocked=False).variance == pytest.approx(expected)


def test_settings_tied_together_by_a_third_are_connected() -> None:
    assert is_connected(np.array([[1, 2, NAN], [NAN, 3, 4]]))
    assert not is_connected(np.array([[1, 2, NAN], [NAN, NAN, 4]]))


def test_settings_that_share_no_seeds_are_fitted_without_blocks() -> None:
    assert not fit_additive(np.array([[1, NAN], [2, NAN], [NAN, 4], [NAN, 6.0]])).is_blocked


def test_a_seed_that_one_setting_alone_has_adds_nothing() -> None:
    table = random_table()
    longer = np.vstack([table, [0.5, NAN, NAN, NAN]])
    assert fit_additive(longer).variance == pytest.approx(fit_additive(table).variance)
    assert fit_additive(longer).df == fit_additive(table).df


def test_rounding_is_no_spread() -> None:
    assert fit_additive(np.array([[0.1, 0.3], [0.1 + 1e-16, 0.3], [0.1, 0.3 + 1e-16]])).variance == 0


def test_settings_that_scatter_unlike_the_rest_are_found() -> None:
    table = np.random.default_rng(0).normal(0.9, 0.003, (3, 6))
    assert unequal_variances(table) == []
    table[:, 4] = [0.1, 0.9, 0.5]
    assert unequal_variances(table) == [4]
    table[:, 1] = 0.1
    assert unequal_variances(table) == [1, 4]


@pytest.mark.parametrize("seed", range(20))
def test_few_wild_settings_are_the_ones_set_apart_not_the_many_calm(seed: int) -> None:
    table = np.random.default_rng(seed).normal(0.9, 0.003, (5, 8))
    table[:, [2, 5]] = np.random.default_rng(seed).normal(0.9, 0.1, (5, 2))
    assert {2, 5} <= set(unequal_variances(table)) and len(unequal_variances(table)) <= 3


def test_equal_values_of_a_coarse_score_are_no_sign_of_another_spread() -> None:
    # Whole pictures of 359: equal repeats are a matter of chance.
    table = np.array([[355, 356, 357], [356, 356, 355], [357, 356, 356]]) / 359
    assert unequal_variances(table) == []


def test_equal_spreads_are_seldom_taken_for_unequal() -> None:
    generator = np.random.default_rng(3)
    alarms = sum(bool(unequal_variances(generator.normal(0, 1, (3, 6)))) for _ in range(400))
    assert alarms <= 0.02 * 400
