"""Adjustments for many comparisons, against tables and bounds; against scipy and statsmodels, see tests/parity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cnnlab.evaluation.comparison.multiple_comparisons import LargestT, family_pairs, holm


def equal(settings: int, family: str = "baseline") -> LargestT:
    return LargestT(family_pairs(settings, family), np.eye(settings))  # type: ignore[arg-type]


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


def test_holm_leaves_out_what_was_not_tested() -> None:
    assert holm([0.01, float("nan"), 0.04])[::2] == pytest.approx(holm([0.01, 0.04]))
