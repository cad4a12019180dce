"""Repeats added until something is found, held against studies in which there is nothing to find."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import SequentialDesign, compare_settings, until


def first_found(design: SequentialDesign, differences: np.ndarray) -> int | None:
    """At how many repeats the paired t test of one study first finds something."""
    for looked_at in design.looks:
        p = stats.ttest_1samp(differences[:looked_at], 0).pvalue
        if p <= 1 - design.level_at(looked_at):
            return looked_at
    return None


def test_looks_go_from_the_first_to_the_most() -> None:
    assert until(10).looks == tuple(range(3, 11))
    assert until(20, first=5, every=5).looks == (5, 10, 15, 20)
    assert until(6, first=2, every=3).looks == (2, 5, 6)
    assert until(4, first=4).looks == (4,)


def test_one_look_is_the_ordinary_test() -> None:
    assert until(5, first=5).level_at(5) == pytest.approx(0.95, abs=1e-3)
    assert until(5, first=5).p_value(0.03, 5) == pytest.approx(0.03, abs=1e-3)


@pytest.mark.parametrize("design", [until(10), until(6), until(20, first=5, every=5), until(8, first=2)])
def test_equal_settings_are_called_different_in_five_percent_of_studies_over_all_looks(
    design: SequentialDesign,
) -> None:
    # The same studies looked at each time at 5% would be called in 12 to 17%.
    differences = np.random.default_rng(5).normal(0, 1, (20_000, design.looks[-1]))
    called, naive = np.zeros(20_000, dtype=bool), np.zeros(20_000, dtype=bool)
    for repeats in design.looks:
        p_values = stats.ttest_1samp(differences[:, :repeats], 0, axis=1).pvalue
        called |= p_values <= 1 - design.level_at(repeats)
        naive |= p_values <= 0.05
    low, high = stats.binom.ppf([0.001, 0.999], 20_000, 0.05)
    assert low <= called.sum() <= high
    assert naive.mean() > 0.11


def test_with_several_settings_that_scatter_differently_it_holds_too() -> None:
    design, generator, called = until(5), np.random.default_rng(6), 0
    for _ in range(100):
        values = pd.DataFrame(generator.normal(0, 1, (5, 4)) * [5, 1, 1, 1], columns=list("abcd"))
        looks = (
            compare_settings(values[:repeats], baseline="a", level=design.level_at(repeats), smallest=1e3)
            for repeats in design.looks
        )
        called += any(one.verdict in ("better", "worse") for look in looks for one in look.differences)
    assert called <= stats.binom.ppf(0.999, 100, 0.05)


def test_more_of_the_error_is_kept_for_later_looks() -> None:
    levels = [1 - until(20, first=5, every=5).level_at(repeats) for repeats in (5, 10, 15, 20)]
    # A quarter of the repeats may spend a sixteenth of five percent.
    assert levels[0] == pytest.approx(0.05 / 16, abs=2e-4)
    assert levels == sorted(levels) and levels[-1] < 0.05


def test_power_is_that_of_simulated_studies() -> None:
    design, generator = until(8), np.random.default_rng(8)
    stops = [first_found(design, generator.normal(1.2, np.sqrt(2), 8)) for _ in range(400)]
    expected = design.power(1.2, std=1.0)
    found = sum(stop is not None for stop in stops)
    assert stats.binom.ppf(0.001, 400, expected.found) <= found <= stats.binom.ppf(0.999, 400, expected.found)
    assert np.mean([stop or 8 for stop in stops]) == pytest.approx(expected.mean_repeats, abs=0.3)


def test_a_large_difference_stops_early() -> None:
    design = until(10)
    assert design.power(0.0, 1.0).found == pytest.approx(0.05, abs=0.006)
    assert design.power(5.0, 1.0).mean_repeats < 5 < design.power(0.5, 1.0).mean_repeats


def test_p_values_of_all_looks_together_are_uniform() -> None:
    # Equal settings would have stopped earlier, or here as surely, in this share of studies.
    design = until(6)
    at_boundary = [design.p_value(1 - design.level_at(repeats), repeats) for repeats in design.looks]
    assert at_boundary == pytest.approx([0.05 * (repeats / 6) ** 2 for repeats in design.looks], abs=1e-4)
    assert design.p_value(0.001, 3) < design.p_value(0.001, 6)


def test_looks_that_were_not_planned_are_refused() -> None:
    with pytest.raises(UsageError, match="no look is planned at 4 repeats, only at 3, 5"):
        until(5, every=2).level_at(4)
    for looks in ((), (1, 3), (4, 4)):
        with pytest.raises(UsageError, match="two repeats or more"):
            SequentialDesign(looks)
    with pytest.raises(UsageError, match="looks begin"):
        until(3, first=5)
    with pytest.raises(UsageError, match="more than 0"):
        until(5).power(1.0, 0.0)
