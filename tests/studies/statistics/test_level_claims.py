"""Claims that a metric lies on one side of a level: what decides them, and what does not."""

from math import sqrt

import numpy as np
import pytest
from known_values import judged
from scipy import stats

from cnnlab.core.measurements import Metric

LEVEL = "test_accuracy of augment=none is at least 0.9"
SECONDS = Metric("seconds", "training time", "seconds", "lower")


@pytest.mark.parametrize("claim", [LEVEL, "the best test_accuracy is at least 0.9", LEVEL.replace("at least", "below")])
def test_one_finished_repeat_decides_nothing(claim):
    found = judged(claim, ((0.99,), (0.80,)))
    assert found.verdict == "undecided" and found.numbers["low"] is None
    assert "99.00% in one finished repeat" in found.why and "how trainings differ" in found.why


def test_failures_are_named():
    found = judged(LEVEL, ((0.93, "nan", "memory"), (0.8, 0.8, 0.8)))
    assert found.verdict == "undecided" and found.numbers["failed"] == 2
    assert "2 of 3 repeats of none failed (seed 1 diverged, seed 2 ran out of memory)" in found.why


@pytest.mark.parametrize("failure", ["nan", "memory", "crash", "error"])
def test_survivors_of_failures_support_nothing_good_of_a_setting(failure):
    row = (0.931, failure, 0.930, failure, failure, failure, 0.932, failure)
    calm = (0.8,) * 8
    # The interval of the three that are left lies far above the level.
    found = judged(LEVEL, (row, calm))
    assert found.numbers["low"] > 0.9 and found.verdict == "undecided" and "5 of 8 repeats of none failed" in found.why
    # What failed would not have been better, so a verdict against the setting stands.
    assert judged("test_accuracy of augment=none is at least 0.95", (row, calm)).verdict == "contradicted"
    assert judged("test_accuracy of augment=none is below 0.95", (row, calm)).verdict == "supported"
    assert judged("test_accuracy of augment=none is below 0.9", (row, calm)).verdict == "undecided"


def test_a_setting_of_which_trainings_diverged_is_not_taken_for_the_best():
    rows = ((0.99, 0.99, "nan"), (0.93, 0.931, 0.932))
    found = judged("the best test_accuracy is at least 0.9", rows)
    assert found.verdict == "supported" and found.numbers["setting"] == "flip"
    assert found.why.endswith("Of other settings 1 repeat failed.")


def test_what_is_not_trained_yet_may_still_be_the_best():
    rows = ((0.80, 0.81, 0.80), ("missing",) * 3)
    assert judged("the best test_accuracy is at least 0.9", rows).verdict == "undecided"
    assert judged("the best test_accuracy is at least 0.9", (*rows[:1], ("error",) * 3)).verdict == "contradicted"


def test_the_interval_of_the_best_allows_for_how_many_it_was_chosen_from():
    values = (0.91, 0.92, 0.915)
    found = judged("the best test_accuracy is at least 0.9", (values, *[(0.8, 0.81, 0.8)] * 3))
    # Student's t with two degrees of freedom: from below at 5% over four settings, from above at 5%.
    error = np.std(values, ddof=1) / sqrt(3)
    below, above = (stats.t.ppf(1 - level / 2, 2) * error for level in (0.05 / 4, 0.05))
    assert (found.numbers["low"], found.numbers["high"]) == pytest.approx((0.915 - below, 0.915 + above))
    assert "simultaneous" not in found.why and "the interval allows for that" in found.why


@pytest.mark.parametrize(("settings", "repeats"), [(1, 3), (12, 3), (24, 5)])
def test_the_best_of_settings_that_are_all_at_the_level_is_called_in_at_most_5_percent(settings, repeats):
    generator = np.random.default_rng(1)
    keys = {"vary": {"optimizer.lr": [round(0.01 * (place + 1), 2) for place in range(settings)]}}
    called = 0
    for _ in range(100):
        rows = generator.normal(0.90, 0.004, (settings, repeats)).tolist()
        called += judged("the best test_accuracy is at least 0.90", rows, **keys).verdict == "supported"
    # Five expected at most; with 5% each, ten or more come about once in forty.
    assert called <= 9


def test_repeats_that_agree_on_few_epochs_support_no_bound_near_them():
    # Five epochs in seven cases of ten, else eight: 5.9 on average. In more than half of all studies two agree.
    name = "epochs to 0.9 validation_accuracy"
    metric = Metric(name, name, "epochs", "lower", is_level=True)
    generator = np.random.default_rng(1)
    called = 0
    for _ in range(200):
        rows = generator.choice([5.0, 8.0], p=[0.7, 0.3], size=(2, 2)).tolist()
        called += judged(f"{name} of augment=none is at most 5.5", rows, metric=metric).verdict == "supported"
    assert called == 0


def test_seconds_are_held_to_a_level_only_where_runs_were_timed_alone():
    rows = ((10.0, 11.0, 10.5), (20.0, 21.0, 20.5))
    claim = "seconds of augment=none is at most 60"
    assert judged(claim, rows, metric=SECONDS).verdict == "supported"
    found = judged(claim, rows, metric=SECONDS, untimed="training times are compared only where … alone")
    assert found.verdict == "undecided" and found.why == "Training times are compared only where … alone."
