"""Measured values beside a published number or a level that is claimed."""

import json
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportions_ztest

from cnnlab.evaluation import MINUTES, NUMBER, POINTS, SECONDS, compare_to_number, unit_of, wilson

VALUES = [0.912, 0.918, 0.915]


def test_several_repeats_are_the_one_sample_t_test() -> None:
    comparison = compare_to_number(VALUES, 0.90)
    expected = stats.ttest_1samp(VALUES, 0.90)
    ends = expected.confidence_interval(0.95)
    assert comparison.p_value == pytest.approx(expected.pvalue)
    assert comparison.interval is not None
    assert (comparison.interval.low, comparison.interval.high) == pytest.approx((ends.low - 0.90, ends.high - 0.90))
    assert comparison.verdict == "better"
    assert comparison.sentence.startswith("better (+1.50 points")
    assert compare_to_number(VALUES, 0.93).verdict == "worse"


def test_lower_can_be_better_than_a_number() -> None:
    assert compare_to_number(VALUES, 0.90, higher_is_better=False).verdict == "worse"


def test_one_run_is_not_tested_and_its_interval_is_that_of_this_classifier() -> None:
    found, expected = compare_to_number([0.94], 0.93, n=10_000), wilson(9400, 10_000)
    assert found.interval is not None and expected is not None
    assert found.interval.low == pytest.approx(expected.low - 0.93)
    assert found.p_value == pytest.approx(proportions_ztest(9400, 10_000, 0.93, prop_var=0.93)[1])
    assert found.verdict == "untested"
    assert "one training tells nothing of how trainings differ" in found.sentence


def test_one_run_without_its_images_and_none_at_all_are_not_tested() -> None:
    assert compare_to_number([0.94], 0.93).verdict == "untested"
    assert compare_to_number([math.nan], 0.93).verdict == "untested"
    assert "no values" in compare_to_number([], 0.93).sentence


def test_reproduced_is_equivalence_within_a_tolerance() -> None:
    # The interval of the difference from 0.914 reaches from -0.65 to +0.85 points.
    assert compare_to_number(VALUES, 0.914, tolerance=0.009).verdict == "reproduced"
    assert compare_to_number(VALUES, 0.914, tolerance=0.008).verdict == "compatible"
    assert compare_to_number(VALUES, 0.914).verdict == "compatible"
    assert compare_to_number(VALUES, 0.905, tolerance=0.002).verdict == "better"
    # Surely above, and surely by little: that little is what was asked for.
    assert compare_to_number([0.9101, 0.9102, 0.9103], 0.91, tolerance=0.005).verdict == "reproduced"


def test_a_result_as_far_off_as_the_tolerance_seldom_passes_for_reproduced() -> None:
    trainings = np.random.default_rng(0).normal(0.90, 0.002, (1000, 3))
    for distance in (0.01, 0.005):
        passed = sum(
            compare_to_number(x, 0.90 + distance, tolerance=distance).verdict == "reproduced" for x in trainings
        )
        assert passed <= stats.binom.ppf(0.999, 1000, 0.025)
    assert sum(compare_to_number(x, 0.90, tolerance=0.02).verdict == "reproduced" for x in trainings) > 900


def test_an_interval_stays_within_what_is_possible() -> None:
    found = compare_to_number([0.60, 0.95], 0.90, within=(0, 1))
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.9, 0.1))


def test_equal_values_tell_nothing_of_their_spread() -> None:
    found = compare_to_number([0.5, 0.5], 0.4)
    assert (found.verdict, found.p_value, found.interval) == ("untested", None, None)
    assert "do not vary" in found.sentence
    assert json.dumps(found.to_dict())


def test_equal_values_counted_in_images_spread_by_half_an_image() -> None:
    # Half of one in a hundred; Student's t with one degree is 12.7062.
    found = compare_to_number([0.5, 0.5], 0.45, step=0.01)
    half = 12.7062 * 0.005 / 2**0.5
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((0.05 - half, 0.05 + half), abs=1e-6)
    assert found.verdict == "better" and found.p_value is not None and found.p_value < 0.05


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("test_accuracy", POINTS),
        ("validation.macro_f1", POINTS),
        ("test_loss", NUMBER),
        ("seconds", SECONDS),
        ("test_clock_mean_error", MINUTES),
    ],
)
def test_units_go_by_the_name_of_the_metric(metric: str, unit: object) -> None:
    assert unit_of(metric) is unit


def test_numbers_are_written_in_their_unit() -> None:
    assert POINTS.signed(0.012) == "+1.20 points"
    assert POINTS.signed(-0.00001) == "−0.001 points"
    assert POINTS.signed(-1e-15) == "0.00 points"
    assert SECONDS.range(-0.04, 0.31, sign=True) == "−0.04 to +0.31"
    assert SECONDS.range(-0.1, 0.1, sign=True, around=-0.01) == "−0.10 to +0.10"
    assert POINTS.range(-0.1, 0.1, sign=True, around=-0.0001234) == "−10.00 to +10.00"
    assert POINTS.range(0.899996, 0.95, against=(0.9,)) == "89.9996 to 95.0000"
    assert POINTS.range(0.8, 0.95, against=(0.9,)) == "80.00 to 95.00"
    assert POINTS.text(-0.012) == "1.20 points"
    assert NUMBER.signed(-0.5) == "−0.5000"
    assert SECONDS.text(12.34) == "12.3 s"
    assert POINTS.value(0.9348) == "93.48%"
    assert SECONDS.value(12.34) == "12.3 s"
    assert MINUTES.value(1.876) == "1.88 min"
