"""What the best of several settings reaches, held against settings that are all alike."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import best_setting_bound, mean_interval

LEVEL_OF_ALL = 0.9


def table(repeats: int, settings: int, seed: int, std: float = 0.004, seed_std: float = 0.0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    noise = generator.normal(0, std, (repeats, settings)) + generator.normal(0, seed_std, (repeats, 1))
    return pd.DataFrame(LEVEL_OF_ALL + noise, columns=[f"s{place}" for place in range(settings)])


def test_of_one_setting_it_is_the_lower_end_of_its_interval() -> None:
    values = table(5, 1, seed=0)
    expected = mean_interval(values["s0"])
    assert expected is not None
    assert best_setting_bound(values).bound == pytest.approx(expected.low)


def test_of_several_it_is_students_bound_at_a_level_for_all_of_them() -> None:
    values = table(4, 3, seed=1)
    ends = {name: stats.ttest_1samp(values[name], 0).confidence_interval(1 - 0.05 / 3).low for name in values}
    found = best_setting_bound(values)
    assert found.bound == pytest.approx(max(ends.values()))
    assert found.setting == max(ends, key=lambda name: ends[name])
    assert (found.settings, found.method) == (3, "Student's t, Bonferroni over 3 settings")


@pytest.mark.parametrize(
    ("repeats", "settings", "seed_std"),
    [(2, 5, 0.0), (3, 12, 0.0), (3, 12, 0.01), (5, 24, 0.0), (1, 5, 0.0), (1, 20, 0.0)],
)
def test_a_level_that_all_settings_just_fail_to_reach_is_seldom_taken_for_reached(
    repeats: int, settings: int, seed_std: float
) -> None:
    bounds = [best_setting_bound(table(repeats, settings, seed, seed_std=seed_std)).bound for seed in range(400)]
    reached = sum(bound is not None and bound > LEVEL_OF_ALL for bound in bounds)
    assert reached <= stats.binom.ppf(0.999, 400, 0.025)


def test_a_setting_that_scatters_widely_reaches_no_more() -> None:
    reached = 0
    for seed in range(400):
        values = table(3, 12, seed)
        values["s3"] = LEVEL_OF_ALL + 10 * (values["s3"] - LEVEL_OF_ALL)
        reached += (best_setting_bound(values).bound or 0.0) > LEVEL_OF_ALL
    assert reached <= stats.binom.ppf(0.999, 400, 0.025)


def test_lower_may_be_better_and_a_bound_is_possible() -> None:
    losses = 1 - table(3, 4, seed=2)
    lower = best_setting_bound(losses, higher_is_better=False).bound
    assert lower == pytest.approx(1 - (best_setting_bound(table(3, 4, seed=2)).bound or 0))
    wide = pd.DataFrame({"a": [0.2, 0.9], "b": [0.3, 0.8]})
    assert best_setting_bound(wide, within=(0, 1)).bound == 0.0


def test_what_cannot_be_said_says_why() -> None:
    # A seed does the same to all of twenty single runs, so their spread does not tell what another seed would do.
    assert "tells nothing of how trainings differ" in best_setting_bound(table(1, 20, seed=0, seed_std=0.01)).why
    equal = pd.DataFrame({"a": [0.5, 0.5], "b": [0.5, 0.5]})
    assert "do not vary" in best_setting_bound(equal).why
    # Counted in pictures they vary by half a one: 25.45 is what t exceeds with one degree in 1.25% of cases.
    assert best_setting_bound(equal, step=0.01).bound == pytest.approx(0.5 - 25.4517 * 0.005 / 2**0.5, abs=1e-4)
    with pytest.raises(UsageError, match="no settings"):
        best_setting_bound(equal[[]])


def test_a_setting_that_failed_but_once_is_no_candidate_and_is_counted() -> None:
    values = table(3, 3, seed=4)
    values.loc[1:, "s1"] = np.nan
    found = best_setting_bound(values)
    assert found.settings == 3 and found.setting != "s1"
