"""The blocked analysis of variance against statsmodels, with and without holes."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from cnnlab.evaluation.comparison.anova import fit_additive

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
