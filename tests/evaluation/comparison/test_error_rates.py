"""What a comparison promises, held against simulated studies: few false calls, and planted differences found."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import compare_settings, power, required_repeats

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
    comparisons = compare_settings(table, **options)  # type: ignore[arg-type]
    return any(difference.verdict in ("better", "worse") for difference in comparisons.differences)


def most_false_calls(count: int) -> int:
    """What chance exceeds once in a thousand times, were the rate exactly 5%."""
    return int(stats.binom.ppf(0.999, count, 0.05))


@pytest.mark.parametrize("repeats", [2, 3, 5, 8])
def test_of_two_hundred_pairs_that_are_alike_at_most_five_percent_are_called_different(repeats: int) -> None:
    calls = sum(called(table, baseline="s0") for table in studies(200, repeats, [0, 0], seed=repeats))
    assert calls <= most_false_calls(200)


@pytest.mark.parametrize("baseline", ["s0", None])
@pytest.mark.parametrize("repeats", [2, 3, 7])
def test_any_false_call_in_a_study_of_six_settings_that_are_alike_is_as_rare(
    baseline: str | None, repeats: int
) -> None:
    calls = sum(called(table, baseline=baseline) for table in studies(150, repeats, [0] * 6, seed=10 + repeats))
    assert calls <= most_false_calls(150)


@pytest.mark.parametrize("test", ["paired", "permutation"])
def test_other_tests_keep_to_it_too(test: str) -> None:
    calls = sum(called(table, baseline="s0", test=test) for table in studies(200, 7, [0] * 4, seed=30))
    assert calls <= most_false_calls(200)


def test_with_a_setting_that_diverges_and_values_missing_it_still_holds() -> None:
    generator = np.random.default_rng(40)
    calls = 0
    for table in studies(200, 4, [0] * 5, seed=41):
        table["s4"] = 0.5 + generator.normal(0, 0.2, 4)
        table.loc[generator.integers(4), f"s{generator.integers(1, 4)}"] = np.nan
        comparisons = compare_settings(table, baseline="s0")
        calls += any(
            difference.verdict in ("better", "worse")
            for difference in comparisons.differences
            if difference.setting != "s4"
        )
    assert calls <= most_false_calls(200)


@pytest.mark.parametrize(("settings", "family"), [(2, "baseline"), (5, "baseline"), (4, "all")])
def test_a_planted_difference_is_found_at_the_promised_power(settings: int, family: str) -> None:
    planted = 0.008
    repeats = required_repeats(planted, SD, settings=settings, family=family)  # type: ignore[arg-type]
    assert repeats is not None
    promised = power(planted, SD, repeats, settings=settings, family=family)  # type: ignore[arg-type]
    assert promised >= 0.8 > power(planted, SD, repeats - 1, settings=settings, family=family)  # type: ignore[arg-type]
    seen = 0
    for table in studies(200, repeats, [0.0] * (settings - 1) + [planted], seed=50 + settings):
        comparisons = compare_settings(table, baseline="s0" if family == "baseline" else None)
        seen += comparisons.between(f"s{settings - 1}", "s0").verdict == "better"
    low, high = stats.binom.ppf([0.001, 0.999], 200, promised)
    assert low <= seen <= high


def test_intervals_hold_all_true_differences_at_once_as_often_as_they_say() -> None:
    effects = [0.0, 0.01, -0.02, 0.004]
    hold = 0
    for table in studies(300, 3, effects, seed=60):
        comparisons = compare_settings(table, baseline="s0")
        hold += all(
            difference.interval is not None and effects[int(difference.setting[1])] in difference.interval
            for difference in comparisons.differences
        )
    assert hold >= stats.binom.ppf(0.001, 300, 0.95)


def test_power_grows_with_difference_repeats_and_settings_that_share_their_spread() -> None:
    assert power(1, 1, 4) < power(1, 1, 8) < power(2, 1, 8)
    assert power(3, 1, 3, settings=2) < power(3, 1, 3, settings=5)
    assert power(0, 1, 10) == pytest.approx(0.05)
    assert power(1e6, 1, 3) == 1.0
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
