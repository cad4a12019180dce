"""The blocked analysis of variance, and which spreads are unequal; against statsmodels, see tests/parity."""

import numpy as np
import pytest

from cnnlab.evaluation.comparison.anova import fit_additive

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


def test_a_seed_that_one_setting_alone_has_adds_nothing() -> None:
    table = random_table()
    longer = np.vstack([table, [0.5, NAN, NAN, NAN]])
    assert fit_additive(longer).variance == pytest.approx(fit_additive(table).variance)
    assert fit_additive(longer).df == fit_additive(table).df


def test_rounding_is_no_spread() -> None:
    assert fit_additive(np.array([[0.1, 0.3], [0.1 + 1e-16, 0.3], [0.1, 0.3 + 1e-16]])).variance == 0


def test_settings_that_no_seed_ties_together_are_fitted_each_for_themselves() -> None:
    # Two pairs of settings that share nothing: the residuals are those of both pairs, one degree of freedom each.
    table = np.array([[1, 3, NAN, NAN], [2, 6, NAN, NAN], [NAN, NAN, 4, 5], [NAN, NAN, 6, 8.0]])
    found = fit_additive(table)
    assert found.df == 2
    assert found.difference(1, 0) == pytest.approx((3, np.sqrt(found.variance)))
    assert found.variance == pytest.approx((np.var([2, 4]) + np.var([1, 2])) / 2)


def test_a_variance_is_no_smaller_than_its_floor() -> None:
    assert fit_additive(np.full((3, 2), 0.9), floor=0.01).variance == 0.01
