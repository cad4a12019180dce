"""Intervals, tests and adjustments against scipy and statsmodels."""

from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multicomp import pairwise_tukeyhsd
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

from cnnlab.evaluation import compare_settings, mean_interval, paired_interval, power, two_sample_interval, wilson
from cnnlab.evaluation.comparison.anova import fit_additive
from cnnlab.evaluation.comparison.mcnemar import mcnemar_p
from cnnlab.evaluation.comparison.multiple_comparisons import LargestT, family_pairs, holm
from cnnlab.evaluation.comparison.permutation_test import sign_flip_p
from cnnlab.evaluation.comparison.power import power_of_t
from cnnlab.evaluation.comparison.rank_sum_test import compare_ranks

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))

# Shares as they are measured: what scipy is compared with divides by numbers that no share comes near.
SHARES = st.floats(0, 1).map(lambda share: round(share, 9))
VALUES = st.lists(SHARES, min_size=2, max_size=8)
NAN = np.nan
# What the fixed quasi-random points leave of error.
CLOSE = 6e-4


@given(COUNTS, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson_is_that_of_statsmodels(counts: tuple[int, int], level: float) -> None:
    right, n = counts
    found = wilson(right, n, level)
    expected = proportion_confint(right, n, alpha=1 - level, method="wilson")
    assert found is not None
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)


@given(VALUES, st.sampled_from([0.9, 0.95]))
def test_mean_interval_is_that_of_scipy(values: list[float], level: float) -> None:
    found = mean_interval(values, level)
    if np.ptp(values) > 1e-6:
        assert found is not None
        expected = stats.ttest_1samp(values, 0).confidence_interval(level)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(VALUES, st.data())
def test_paired_interval_is_that_of_scipy(values: list[float], data: st.DataObject) -> None:
    others = data.draw(st.lists(SHARES, min_size=len(values), max_size=len(values)))
    found = paired_interval(values, others)
    if np.ptp(np.subtract(values, others)) > 1e-6:
        assert found is not None
        expected = stats.ttest_rel(values, others).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_two_sample_interval_is_welchs_of_scipy() -> None:
    one, other = [0.91, 0.92, 0.90, 0.95], [0.88, 0.80, 0.93]
    found = two_sample_interval(one, other)
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_p_value_is_that_of_statsmodels(first: int, second: int) -> None:
    expected = mcnemar([[5, first], [second, 7]], exact=True).pvalue if first + second else 1.0
    assert mcnemar_p(first, second) == pytest.approx(min(1.0, expected))


def random_table(holes: int = 0, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    table = generator.normal(0.9, 0.01, (5, 4)) + generator.normal(0, 0.02, (5, 1))
    table.ravel()[generator.choice(20, holes, replace=False)] = NAN
    return table


@pytest.mark.parametrize("holes", [0, 1, 4])
def test_residual_variance_and_differences_are_those_of_statsmodels(holes: int) -> None:
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


@pytest.mark.parametrize(
    ("first", "second"),
    [((1, 2, 3), (4, 5, 6)), ((1, 5, 3, 8), (2, 4, 6, 7, 9)), ((1.5, 9, 2), (3, 7, 8))],
)
def test_rank_sum_test_without_ties_is_the_exact_one_of_scipy(
    first: tuple[float, ...], second: tuple[float, ...]
) -> None:
    expected = stats.mannwhitneyu(first, second, method="exact").pvalue
    assert compare_ranks(first, second).p_value == pytest.approx(expected)


def test_sign_flips_are_scipys_permutation_test() -> None:
    differences = np.array([0.8, 1.4, -0.3, 0.9, 1.1, 0.2, -0.1])
    result = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert sign_flip_p(differences) == pytest.approx(result.pvalue)


def equal(settings: int, family: str = "baseline") -> LargestT:
    return LargestT(family_pairs(settings, family), np.eye(settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [3, 5, 10, 20])
@pytest.mark.parametrize("df", [2, 8, 60])
@pytest.mark.parametrize("t", [0.5, 2.0, 3.0, 5.0])
def test_all_pairs_are_tukeys_studentized_range(settings: int, df: int, t: float) -> None:
    expected = stats.studentized_range.sf(t * np.sqrt(2), settings, df)
    assert equal(settings, "all").p_value(t, df) == pytest.approx(expected, abs=1.5e-3)


@pytest.mark.parametrize("df", [4, 16])
@pytest.mark.parametrize("t", [1.0, 2.5, 4.0])
def test_against_a_baseline_it_is_the_equicorrelated_multivariate_t(df: int, t: float) -> None:
    shape = np.full((4, 4), 0.5) + 0.5 * np.eye(4)
    inside = stats.multivariate_t(np.zeros(4), shape, df=df, seed=1).cdf(np.full(4, t), lower_limit=np.full(4, -t))
    assert equal(5).p_value(t, df) == pytest.approx(1 - inside, abs=CLOSE)


def test_unequal_precision_is_the_multivariate_t_of_its_correlation() -> None:
    variances = np.array([0.5, 1.0, 2.0, 0.25])
    contrasts = np.array([[-1, 1, 0, 0], [-1, 0, 1, 0], [-1, 0, 0, 1]])
    covariance = contrasts @ np.diag(variances) @ contrasts.T
    deviations = np.sqrt(np.diag(covariance))
    law = stats.multivariate_t(np.zeros(3), covariance / np.outer(deviations, deviations), df=6, seed=1)
    found = LargestT(family_pairs(4, "baseline"), np.diag(variances))
    for t in (1.0, 2.5, 4.0):
        expected = 1 - law.cdf(np.full(3, t), lower_limit=np.full(3, -t))
        assert found.p_value(t, 6) == pytest.approx(expected, abs=CLOSE)


def test_sixty_settings_are_tukeys_studentized_range_too() -> None:
    p = equal(60, "all").p_value(4.0, 118)
    assert p == pytest.approx(stats.studentized_range.sf(4 * np.sqrt(2), 60, 118), abs=3e-3)


def holm_of_statsmodels(p_values: list[float]) -> list[float]:
    # It collects garbage each time, which takes most of a second where there is much of it.
    with patch("gc.collect"):
        return list(multipletests(p_values, method="holm")[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(holm_of_statsmodels(p_values))


def test_power_is_that_of_statsmodels() -> None:
    # Paired differences have the variance of two settings.
    expected = TTestPower().power(0.8 / np.sqrt(2), nobs=9, alpha=0.05)
    assert power(0.8, 1.0, 9) == pytest.approx(expected, abs=1e-6)


def test_power_is_that_of_scipys_noncentral_t_where_this_has_a_number() -> None:
    for shift, df in ((0.5, 1), (3.0, 2), (2.5, 8), (4.0, 40), (2.9, 400)):
        critical = float(stats.t.ppf(0.975, df))
        expected = stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)
        assert power_of_t(shift, df, critical) == pytest.approx(expected, abs=1e-4)


def table(
    seed: int = 0, repeats: int = 3, effects: tuple[float, ...] = (0, 0.01, 0, -0.03), std: float = 0.003
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    values = generator.normal(0.9, std, (repeats, len(effects))) + generator.normal(0, 0.01, (repeats, 1)) + effects
    return pd.DataFrame(values, columns=list("abcdefgh"[: len(effects)]), index=range(repeats))


def test_two_settings_are_the_paired_t_test() -> None:
    values = table(effects=(0, 0.01), repeats=5)
    (found,) = compare_settings(values, baseline="a").differences
    expected = stats.ttest_rel(values["b"], values["a"])
    ends = expected.confidence_interval(0.95)
    assert found.test == "paired t"
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((ends.low, ends.high))


def test_without_blocks_two_settings_are_welchs_t_test() -> None:
    values = table(effects=(0, 0.01), repeats=5)
    (found,) = compare_settings(values, baseline="a", blocked=False).differences
    expected = stats.ttest_ind(values["b"], values["a"], equal_var=False)
    assert (found.test, found.p_value) == ("Welch's t", pytest.approx(expected.pvalue))


def test_two_settings_with_a_value_missing_are_the_paired_t_test_of_what_they_share() -> None:
    values = table(effects=(0, 0.01), repeats=5)
    values.loc[4, "b"] = NAN
    (found,) = compare_settings(values, baseline="a").differences
    assert found.p_value == pytest.approx(stats.ttest_rel(values["b"][:4], values["a"][:4]).pvalue)


def test_pooled_without_blocks_against_a_baseline_is_scipys_dunnett() -> None:
    values = table(repeats=4)
    found = compare_settings(values, baseline="b", blocked=False, test="pooled")
    others = [values[name] for name in "acd"]
    expected = stats.dunnett(*others, control=values["b"], rng=np.random.default_rng(0))
    ends = expected.confidence_interval(0.95)
    assert [one.statistic for one in found.differences] == pytest.approx(list(expected.statistic))
    assert [one.p_value for one in found.differences] == pytest.approx(list(expected.pvalue), abs=1e-3)
    assert [one.interval.low for one in found.differences if one.interval] == pytest.approx(list(ends.low), abs=1e-4)
    assert [one.interval.high for one in found.differences if one.interval] == pytest.approx(list(ends.high), abs=1e-4)
    assert found.method == "Dunnett"


def test_unequal_repeats_without_blocks_are_scipys_dunnett_too() -> None:
    values = table(repeats=6)
    values.loc[3:, "a"] = NAN
    values.loc[5, "d"] = NAN
    found = compare_settings(values, baseline="b", blocked=False, test="pooled")
    expected = stats.dunnett(
        *[values[name].dropna() for name in "acd"], control=values["b"], rng=np.random.default_rng(0)
    )
    assert [one.p_value for one in found.differences] == pytest.approx(list(expected.pvalue), abs=1e-3)


def test_pooled_without_blocks_all_pairs_are_statsmodels_tukey() -> None:
    values = table(repeats=4)
    found = compare_settings(values, blocked=False, test="pooled")
    long = values.melt(var_name="setting")
    expected = pairwise_tukeyhsd(long["value"], long["setting"])
    assert [one.estimate for one in found.differences] == pytest.approx(list(expected.meandiffs))
    assert [one.p_value for one in found.differences] == pytest.approx(list(expected.pvalues), abs=2e-3)
    ends = [(one.interval.low, one.interval.high) for one in found.differences if one.interval]
    assert np.array(ends) == pytest.approx(np.array(expected.confint), abs=1e-4)
    assert found.method == "Tukey"


def test_blocked_tukey_is_the_studentized_range_of_the_residual_variance() -> None:
    values = table(repeats=4)
    found = compare_settings(values, test="pooled")
    residuals = values - values.mean() - values.mean(axis=1).to_numpy()[:, None] + values.to_numpy().mean()
    variance = float((residuals**2).to_numpy().sum() / 9)
    assert found.pooled_std == pytest.approx(np.sqrt(variance))
    assert found.df == 9
    for one in found.differences:
        difference = values[one.setting].mean() - values[one.reference].mean()
        expected = stats.studentized_range.sf(abs(difference) / np.sqrt(variance / 4), 4, 9)
        assert one.p_value == pytest.approx(expected, abs=2e-3)
