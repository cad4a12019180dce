"""Measured values beside a published number or a level that is claimed."""

import json
import math

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


def test_one_run_is_judged_by_its_images() -> None:
    comparison, expected = compare_to_number([0.94], 0.93, n=10_000), wilson(9400, 10_000)
    assert comparison.interval is not None and expected is not None
    assert comparison.interval.low == pytest.approx(expected.low - 0.93)
    assert comparison.p_value == pytest.approx(proportions_ztest(9400, 10_000, 0.93, prop_var=0.93)[1])
    assert comparison.verdict == "better"


def test_one_run_without_its_images_and_none_at_all_are_not_tested() -> None:
    assert compare_to_number([0.94], 0.93).verdict == "untested"
    assert compare_to_number([math.nan], 0.93).verdict == "untested"
    assert "no values" in compare_to_number([], 0.93).sentence


def test_a_tolerance_tells_reproduced_from_too_few_repeats() -> None:
    assert compare_to_number(VALUES, 0.914).verdict == "reproduced"
    assert compare_to_number(VALUES, 0.914, tolerance=0.02).verdict == "reproduced"
    assert compare_to_number(VALUES, 0.914, tolerance=0.002).verdict == "undecided"
    assert compare_to_number(VALUES, 0.905, tolerance=0.002).verdict == "better"


def test_equal_values_tell_nothing_of_their_spread() -> None:
    comparison = compare_to_number([0.5, 0.5], 0.4)
    assert (comparison.verdict, comparison.p_value, comparison.interval) == ("untested", None, None)
    assert json.dumps(comparison.to_dict())


def test_equal_values_counted_in_images_spread_as_rounding_does() -> None:
    # Of 100 pictures the standard deviation of rounding is 0.01 / √12; Student's t with one degree is 12.7062.
    comparison = compare_to_number([0.5, 0.5], 0.45, step=0.01)
    half = 12.7062 * 0.01 / (12 * 2) ** 0.5
    assert comparison.interval is not None
    assert (comparison.interval.low, comparison.interval.high) == pytest.approx((0.05 - half, 0.05 + half), abs=1e-6)
    assert comparison.verdict == "better" and comparison.p_value is not None and comparison.p_value < 0.05


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
    assert POINTS.signed(-0.00001) == "0.00 points"
    assert POINTS.text(-0.012) == "1.20 points"
    assert NUMBER.signed(-0.5) == "-0.5000"
    assert SECONDS.text(12.34) == "12.3 s"
    assert POINTS.value(0.9348) == "93.48%"
    assert SECONDS.value(12.34) == "12.3 s"
    assert MINUTES.value(1.876) == "1.88 min"
