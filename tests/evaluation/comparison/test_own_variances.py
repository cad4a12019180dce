"""Each setting's own variance: against the paired t test, Welch's, and the likelihood that it maximises."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from statsmodels.formula.api import wls

from cnnlab.evaluation.comparison.own_variances import (
    balanced_variances,
    fit_own_variances,
    prior_dfs,
    steady,
    unequal_variances_p,
)

NAN = np.nan


def random_table(spreads: list[float], repeats: int = 6, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(0, 1, (repeats, len(spreads))) * spreads + generator.normal(0, 3, (repeats, 1))


def minus_log_likelihood(logs: np.ndarray, table: np.ndarray) -> float:
    """Restricted: of the differences with the first setting, their means taken out."""
    variances, differences = np.exp(logs), table[:, 1:] - table[:, :1]
    covariance = np.diag(variances[1:]) + variances[0]
    centred = differences - differences.mean(axis=0)
    squares = np.einsum("ij,jk,ik->", centred, np.linalg.inv(covariance), centred)
    return float(squares + (len(table) - 1) * np.linalg.slogdet(covariance)[1])


def test_variances_are_those_of_restricted_maximum_likelihood() -> None:
    table = random_table([1, 2, 1.5, 4], repeats=20)
    expected = optimize.minimize(minus_log_likelihood, np.zeros(4), (table,), method="Nelder-Mead", tol=1e-10)
    found = fit_own_variances(table, blocked=True)
    assert found.variances == pytest.approx(np.exp(expected.x), rel=0.01)


@pytest.mark.parametrize(("repeats", "settings"), [(2, 4), (3, 5), (9, 3), (4, 12)])
def test_variances_of_equal_repeats_follow_from_sums_of_squares_alone(repeats: int, settings: int) -> None:
    tables = [random_table([*range(1, settings + 1)], repeats, seed) for seed in range(5)]
    centred = np.stack([table - table.mean(axis=0) for table in tables])
    found = balanced_variances(centred.transpose(0, 2, 1) @ centred, repeats - 1)
    expected = np.stack([fit_own_variances(table, blocked=True).variances for table in tables])
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-3 * expected.max())


def test_two_settings_are_the_paired_t_test() -> None:
    table = random_table([1, 5])
    estimate, error, df = fit_own_variances(table, blocked=True).difference(1, 0, shared=6)
    expected = stats.ttest_rel(table[:, 1], table[:, 0])
    assert (estimate / error, df) == pytest.approx((expected.statistic, expected.df))


def test_without_blocks_two_settings_are_welchs_t_test() -> None:
    table = random_table([1, 5])
    table[4:, 1] = NAN
    estimate, error, df = fit_own_variances(table, blocked=False).difference(1, 0, shared=0)
    expected = stats.ttest_ind(table[:4, 1], table[:, 0], equal_var=False)
    assert (estimate / error, df) == pytest.approx((expected.statistic, expected.df))


def test_seeds_change_nothing_but_the_estimates_noise() -> None:
    table = random_table([1, 1, 3, 1])
    moved = fit_own_variances(table + np.arange(6)[:, None] ** 2, blocked=True)
    still = fit_own_variances(table, blocked=True)
    assert moved.variances == pytest.approx(still.variances, rel=1e-6)
    assert moved.difference(2, 0, 6) == pytest.approx(still.difference(2, 0, 6), rel=1e-6)


def test_degrees_of_freedom_add_up_to_those_of_the_residuals() -> None:
    table = random_table([1, 1, 1, 1, 1])
    found = fit_own_variances(table, blocked=True)
    assert (found.dfs - prior_dfs([6] * 5)).sum() == pytest.approx(4 * 5)


def test_the_mean_variance_counts_for_less_than_one_repeat() -> None:
    assert prior_dfs([5, 5]) == pytest.approx([0, 0])
    assert prior_dfs([2] * 4) == pytest.approx([0.125] * 4)
    assert (prior_dfs([3] * 100) < 1).all()
    # Two repeats' worth of its own variance and half a one's of the mean.
    assert steady(np.array([1.0, 4.0, 1.0, 2.0]), [3] * 4, np.full(4, 0.5)) == pytest.approx([1.2, 3.6, 1.2, 2.0])


def test_values_missing_are_fitted_by_the_weighted_least_squares_of_statsmodels() -> None:
    table = random_table([1, 1, 4, 1])
    table[0, 1] = table[3, 2] = table[4, 2] = NAN
    found = fit_own_variances(table, blocked=True)
    long = pd.DataFrame(table).melt(ignore_index=False, var_name="setting").reset_index(names="seed").dropna()
    expected = wls("value ~ C(setting) + C(seed)", long, weights=1 / found.steadied[long["setting"].astype(int)]).fit()
    covariance = expected.cov_params() / expected.scale
    for setting in (1, 2, 3):
        estimate, error, _ = found.difference(setting, 0, shared=4)
        name = f"C(setting)[T.{setting}]"
        assert (estimate, error) == pytest.approx((expected.params[name], np.sqrt(covariance.loc[name, name])))


def test_a_setting_of_one_repeat_is_taken_to_scatter_as_all_do() -> None:
    table = random_table([1, 1, 1])
    table[1:, 2] = NAN
    found = fit_own_variances(table, blocked=True)
    assert found.variances[2] == pytest.approx(found.variances[:2].mean())
    assert np.isfinite(found.steadied).all()


def test_no_variance_is_smaller_than_its_floor() -> None:
    assert fit_own_variances(np.full((3, 4), 0.9), blocked=True, floor=0.01).steadied == pytest.approx([0.01] * 4)
    assert not fit_own_variances(np.full((3, 4), 0.9), blocked=True).steadied.any()


def test_one_setting_that_scatters_unlike_the_rest_is_noticed_through_the_effects_of_seeds() -> None:
    alike, wide = random_table([1] * 6, seed=1), random_table([1, 1, 1, 20, 1, 1], seed=1)
    assert unequal_variances_p(alike, blocked=True) > 0.05
    assert unequal_variances_p(wide, blocked=True) < 0.01
    # Looked at without taking out the seeds, their effect hides it.
    assert unequal_variances_p(wide + 30 * np.arange(6)[:, None], blocked=False) > 0.05


def test_equal_spreads_are_seldom_taken_for_unequal() -> None:
    generator = np.random.default_rng(3)
    alarms = sum(unequal_variances_p(generator.normal(0, 1, (3, 6)), blocked=True) < 0.05 for _ in range(200))
    assert alarms <= stats.binom.ppf(0.999, 200, 0.05)
