"""Adjustments for many comparisons, against scipy and statsmodels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from cnnlab.evaluation.comparison.multiple_comparisons import LargestT, family_pairs, holm

# What the fixed quasi-random points leave of error.
CLOSE = 6e-4


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


@pytest.mark.parametrize(
    ("settings", "df", "expected"),
    # Dunnett's own tables (1964), two-sided, 5%: so many treatments beside the control.
    [(3, 5, 3.03), (3, 20, 2.38), (5, 10, 2.89), (6, 12, 2.90), (10, 20, 2.95)],
)
def test_critical_values_are_those_of_dunnetts_tables(settings: int, df: int, expected: float) -> None:
    assert equal(settings).critical(0.95, df) == pytest.approx(expected, abs=0.006)


def test_critical_value_has_the_level_as_its_p_value() -> None:
    for largest in (equal(4), equal(6, "all"), equal(2)):
        assert largest.p_value(largest.critical(0.9, 7), 7) == pytest.approx(0.1, abs=1e-5)


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


def test_one_comparison_is_students_t_exactly() -> None:
    assert equal(2).p_value(2.5, 3) == pytest.approx(2 * stats.t.sf(2.5, 3), abs=1e-14)
    assert equal(2).critical(0.95, 3) == pytest.approx(stats.t.isf(0.025, 3))


@given(st.floats(0.01, 60), st.integers(1, 100), st.integers(3, 8))
def test_adjusted_lies_between_the_single_p_value_and_bonferronis(t: float, df: int, settings: int) -> None:
    largest = equal(settings)
    single = 2 * stats.t.sf(t, df)
    assert single <= largest.p_value(t, df) * (1 + 1e-9)
    assert largest.p_value(t, df) <= min(1, (settings - 1) * single) * (1 + 1e-9)
    assert largest.p_value(-t, df) == largest.p_value(t, df)


def test_many_settings_are_no_trouble() -> None:
    p = equal(60, "all").p_value(4.0, 118)
    assert p == pytest.approx(stats.studentized_range.sf(4 * np.sqrt(2), 60, 118), abs=3e-3)


# The oracle takes its time.
@settings(max_examples=15)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holm_leaves_out_what_was_not_tested() -> None:
    assert holm([0.01, float("nan"), 0.04])[::2] == pytest.approx(holm([0.01, 0.04]))
