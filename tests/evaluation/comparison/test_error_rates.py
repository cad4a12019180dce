"""What a comparison promises, held against simulated studies: few false calls, and planted differences found."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import compare_over_pairs, compare_settings, power, required_repeats
from cnnlab.evaluation.comparison.own_variances import fit_own_variances
from cnnlab.evaluation.comparison.power import Spreads, fewest, power_by_own_variances

SD, SEED_SD = 0.004, 0.006


def studies(count: int, repeats: int, effects: list[float], seed: int) -> list[pd.DataFrame]:
    """Simulated accuracies: seeds have an effect of their own on all settings alike."""
    generator = np.random.default_rng(seed)
    names = [f"s{place}" for place in range(len(effects))]
    return [
        pd.DataFrame(
            generator.normal(0.9, SD, (repeats, len(effects))) + generator.normal(0, SEED_SD, (repeats, 1)) + effects,
            columns=names,
        )
        for _ in range(count)
    ]


def called(table: pd.DataFrame, **options: object) -> bool:
    """Whether any difference is called one."""
    # The repeats lacking are told at once for a difference as large as this.
    found = compare_settings(table, smallest=1.0, **options)  # type: ignore[arg-type]
    return any(one.verdict in ("better", "worse") for one in found.differences)


def most_false_calls(count: int) -> int:
    """What chance exceeds once in a thousand times, were the rate exactly 5%."""
    return int(stats.binom.ppf(0.999, count, 0.05))


@pytest.mark.parametrize("repeats", [2, 3, 5, 8])
def test_of_two_hundred_pairs_that_are_alike_at_most_five_percent_are_called_different(repeats: int) -> None:
    calls = sum(called(table, baseline="s0") for table in studies(200, repeats, [0, 0], seed=repeats))
    assert calls <= most_false_calls(200)


@pytest.mark.parametrize("test", ["auto", "pooled"])
@pytest.mark.parametrize("baseline", ["s0", None])
@pytest.mark.parametrize("repeats", [2, 3, 7])
def test_any_false_call_in_a_study_of_six_settings_that_are_alike_is_as_rare(
    baseline: str | None, repeats: int, test: str
) -> None:
    tables = studies(100, repeats, [0] * 6, seed=10 + repeats)
    assert sum(called(table, baseline=baseline, test=test) for table in tables) <= most_false_calls(100)


@pytest.mark.parametrize("test", ["paired", "permutation"])
def test_other_tests_keep_to_it_too(test: str) -> None:
    calls = sum(called(table, baseline="s0", test=test) for table in studies(150, 7, [0] * 4, seed=30))
    assert calls <= most_false_calls(150)


@pytest.mark.parametrize("counts", [(2, 10), (5, 2, 2)])
def test_two_independent_repeats_beside_many_bring_no_false_calls(counts: tuple[int, ...]) -> None:
    # By Welch's test these are called different in 13% of studies.
    generator, calls = np.random.default_rng(45), 0
    for _ in range(200):
        columns = [generator.normal(0.9, SD * (1 if count == 2 else 0.4), count) for count in counts]
        rows = pd.Series(range(sum(counts)))
        starts = np.cumsum((0, *counts))
        values = {f"s{k}": pd.Series(column, rows[starts[k] : starts[k + 1]]) for k, column in enumerate(columns)}
        calls += called(pd.DataFrame(values, index=rows), baseline="s0", blocked=False)
    assert calls <= most_false_calls(200)


@pytest.mark.parametrize(("settings", "wide"), [(5, ["s0"]), (5, ["s4"]), (12, ["s0"]), (6, ["s0", "s1", "s2"])])
def test_settings_that_scatter_five_times_as_much_bring_no_false_calls(settings: int, wide: list[str]) -> None:
    # Pooled, the first and the third of these are called different in 20 and 33% of studies.
    noise, calls = np.random.default_rng(40), 0
    for table in studies(100, 3, [0] * settings, seed=41):
        table[wide] += noise.normal(0, 5 * SD, (3, len(wide)))
        calls += called(table, baseline="s0")
    assert calls <= most_false_calls(100)


def test_with_a_setting_that_diverges_and_values_missing_it_still_holds() -> None:
    generator = np.random.default_rng(40)
    calls = 0
    for table in studies(150, 4, [0] * 5, seed=41):
        table["s4"] = 0.5 + generator.normal(0, 0.2, 4)
        table.loc[generator.integers(4), f"s{generator.integers(1, 4)}"] = np.nan
        found = compare_settings(table, baseline="s0", smallest=1.0)
        calls += any(one.verdict in ("better", "worse") for one in found.differences if one.setting != "s4")
    assert calls <= most_false_calls(150)


def test_pairs_of_settings_are_no_repeats_of_one_another() -> None:
    # What momentum does depends on the seed, and does so at all of four learning rates alike.
    generator, calls, calls_of_pairs = np.random.default_rng(7), 0, 0
    for table in studies(200, 3, [0] * 8, seed=70):
        table[["s0", "s1", "s2", "s3"]] += generator.normal(0, SD, (3, 1))
        pairs = [(f"s{place}", f"s{place + 4}") for place in range(4)]
        calls += compare_over_pairs(table, pairs).verdict in ("better", "worse")
        stacked = pd.DataFrame({side: np.ravel(table[[pair[k] for pair in pairs]]) for k, side in enumerate("ab")})
        calls_of_pairs += called(stacked, baseline="a")
    assert calls <= most_false_calls(200) < calls_of_pairs


def test_no_setting_is_called_the_best_of_equals() -> None:
    # Better than each of the others: rarer still than better than one.
    calls = sum(
        all(one.verdict == "worse" for one in compare_settings(table, baseline="s0", smallest=1.0).differences)
        for table in studies(100, 5, [0] * 4, seed=80)
    )
    assert calls <= 1


@pytest.mark.parametrize("test", ["auto", "pooled"])
@pytest.mark.parametrize(("settings", "family"), [(2, "baseline"), (5, "baseline"), (4, "all")])
def test_a_planted_difference_is_found_at_the_promised_power(settings: int, family: str, test: str) -> None:
    planted = 0.008
    facts: dict[str, Any] = {"settings": settings, "family": family, "test": test}
    repeats = required_repeats(planted, SD, **facts)
    assert repeats is not None
    promised = power(planted, SD, repeats, **facts)
    assert promised >= 0.8 > power(planted, SD, repeats - 1, **facts)
    found = 0
    for table in studies(150, repeats, [0.0] * (settings - 1) + [planted], seed=50 + settings):
        comparisons = compare_settings(
            table, baseline="s0" if family == "baseline" else None, test=facts["test"], smallest=1.0
        )
        found += comparisons.between(f"s{settings - 1}", "s0").verdict == "better"
    low, high = stats.binom.ppf([0.001, 0.999], 150, promised)
    assert low <= found <= high


def test_power_of_few_repeats_is_that_of_simulated_studies() -> None:
    # Where each setting's variance is guessed from few numbers the power is lowest beside that of known variances.
    found = sum(
        compare_settings(table, baseline="s0", smallest=1.0).between("s4", "s0").verdict == "better"
        for table in studies(1500, 5, [0.0] * 4 + [2 * SD], seed=90)
    )
    low, high = stats.binom.ppf([0.001, 0.999], 1500, power(2 * SD, SD, 5, settings=5))
    assert low <= found <= high and high - low < 0.08 * 1500


@pytest.mark.parametrize(("blocked", "settings"), [(True, 4), (False, 3)])
def test_power_is_that_of_the_test_on_drawn_repeats_with_unlike_spreads(blocked: bool, settings: int) -> None:
    generator, repeats, difference = np.random.default_rng(5), 4, 3.0
    spreads = np.array([2.0, 0.5, *[1.0] * (settings - 2)])
    found = []
    for _ in range(2000):
        fitted = fit_own_variances(generator.normal(0, spreads, (repeats, settings)), blocked=blocked)
        _, error, df = fitted.difference(0, 1, repeats if blocked else 0)
        shift, critical = (
            difference / np.hypot(*spreads[:2]) * 2,
            stats.t.ppf(0.975, df) * error / np.hypot(*spreads[:2]) * 2,
        )
        found.append(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))
    facts = Spreads(4.0, 0.25, float((spreads**2).mean()))
    expected = power_by_own_variances(difference, facts, repeats, settings=settings, level=0.95, blocked=blocked)
    assert np.mean(found) == pytest.approx(expected, abs=0.015)


def test_intervals_hold_all_true_differences_at_once_as_often_as_they_say() -> None:
    effects = [0.0, 0.01, -0.02, 0.004]
    hold = 0
    for table in studies(300, 3, effects, seed=60):
        comparisons = compare_settings(table, baseline="s0", smallest=1.0)
        hold += all(
            difference.interval is not None and effects[int(difference.setting[1])] in difference.interval
            for difference in comparisons.differences
        )
    assert hold >= stats.binom.ppf(0.001, 300, 0.95)


@pytest.mark.parametrize("test", ["auto", "pooled"])
def test_power_is_a_number_everywhere_and_grows_with_repeats(test: str) -> None:
    # The noncentral t of scipy has none for a difference of 0.006, a std of 0.004 and 71 repeats.
    for settings in (2, 5):
        for difference in (0.0003, 0.006, 0.03241, 0.5):
            grid = [2, 3, 4, 5, 7, 10, 20, 40, 71, 72, 100, 200, 400, 800]
            powers = [power(difference, 0.004, n, settings=settings, test=test) for n in grid]  # type: ignore[arg-type]
            assert np.isfinite(powers).all()
            assert (np.diff(powers) > -3e-3).all()


def test_repeats_advised_are_enough_where_two_seem_to_be() -> None:
    # Eight standard deviations: two repeats find it in 68% of studies, three in 99%.
    generator = np.random.default_rng(0)
    found = {}
    for repeats in (2, 3):
        drawn = generator.normal(0.03241, 0.004 * np.sqrt(2), (100_000, repeats))
        t = drawn.mean(axis=1) / (drawn.std(axis=1, ddof=1) / np.sqrt(repeats))
        found[repeats] = float((np.abs(t) > stats.t.ppf(0.975, repeats - 1)).mean())
        assert power(0.03241, 0.004, repeats) == pytest.approx(found[repeats], abs=0.006)
    assert found[2] < 0.8 < found[3] and required_repeats(0.03241, 0.004) == 3


def test_power_that_is_no_number_reaches_nothing() -> None:
    assert fewest(lambda repeats: float("nan") if repeats < 5 else 0.9) in (5, 8)
    assert fewest(lambda repeats: float("nan")) is None


def test_power_grows_with_the_difference_and_pooling_adds_to_it() -> None:
    assert power(1, 1, 4) < power(1, 1, 8) < power(2, 1, 8)
    assert power(3, 1, 3, settings=5) < power(3, 1, 3, settings=5, test="pooled")
    assert power(3, 1, 3, settings=2) == power(3, 1, 3, settings=2, test="pooled")
    assert power(0, 1, 10) == pytest.approx(0.05, abs=1e-3)
    assert power(1e6, 1, 3) == pytest.approx(1.0)
    assert power(1, 1, 1) == 0.0


def test_a_difference_too_small_for_any_number_of_repeats_has_none() -> None:
    assert required_repeats(0.0, 0.01) is None
    assert required_repeats(1e-5, 0.01) is None
    assert required_repeats(1.0, 0.01) == 2


def test_a_spread_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="more than 0"):
        power(1, 0, 3)
    with pytest.raises(UsageError, match="two settings"):
        required_repeats(1, 1, settings=1)
