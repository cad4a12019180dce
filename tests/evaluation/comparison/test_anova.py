"""The blocked analysis of variance against statsmodels, with and without holes."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from cnnlab.evaluation.comparison.anova import fit_additive, is_connected
from cnnlab.evaluation.comparison.equal_variances import bartlett_p, unequal_variances

NAN = np.nan


def random_table(holes: int = 0, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    table = generator.normal(0.9, 0.01, (5, 4)) + generator.normal(0, 0.02, (5, 1))
    table.ravel()[generator.choice(20, holes, replace=False)] = NAN
    return table


@pytest.mark.parametrize("holes", [0, 1, 4])
def test_variance_freedom_and_differences_are_those_of_statsmodels(holes: int) -> None:
    table = random_table(holes)
    long = (
        pd.DataFrame(table).melt(ignore_index=False, var_name="setting", value_name="value").reset_index(names="seed")
    )
    model = ols("value ~ C(setting) + C(seed)", long.dropna()).fit()
    found = fit_additive(table)
    anova = anova_lm(model)
    assert found.variance == pytest.approx(anova.loc["Residual", "mean_sq"])
    assert found.df == anova.loc["Residual", "df"]
    for other in (1, 2, 3):
        estimate, error = found.difference(other, 0)
        assert estimate == pytest.approx(model.params[f"C(setting)[T.{other}]"])
        assert error == pytest.approx(model.bse[f"C(setting)[T.{other}]"])


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


def test_bartlett_is_that_of_scipy() -> None:
    from scipy import stats

    columns = [np.random.default_rng(seed).normal(0, 1 + seed, 4 + seed) for seed in range(4)]
    expected = stats.bartlett(*columns).pvalue
    assert bartlett_p([len(c) for c in columns], [c.var(ddof=1) for c in columns]) == pytest.approx(expected)


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
