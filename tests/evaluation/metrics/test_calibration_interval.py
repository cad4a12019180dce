"""Intervals of calibration errors, against classifiers of which the true error is known."""

import numpy as np
import pytest
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import ClassPredictions, calibration_error_interval


def classifier(n: int, too_sure: float, seed: int) -> ClassPredictions:
    """Two classes; right less often than it says, by ``too_sure`` at every confidence."""
    generator = np.random.default_rng(seed)
    confidence = np.where(generator.random(n) < 0.7, generator.beta(30, 2, n), generator.uniform(0.6, 1, n)).clip(0.6)
    labels = (generator.random(n) >= confidence - too_sure).astype(int)
    return ClassPredictions(np.stack([confidence, 1 - confidence], axis=1), labels, ("cat", "dog"))


@pytest.mark.parametrize(("n", "too_sure"), [(200, 0.0), (1000, 0.0), (200, 0.03), (1000, 0.03), (1000, 0.1)])
def test_the_true_error_is_covered(n: int, too_sure: float) -> None:
    covered = 0
    for seed in range(60):
        found = calibration_error_interval(classifier(n, too_sure, seed), resamples=200)
        assert found.interval.low <= found.ece <= found.interval.high
        covered += too_sure in found.interval
    assert covered >= stats.binom.ppf(0.001, 60, 0.93)


def test_what_chance_makes_of_perfect_calibration_is_told() -> None:
    errors = [calibration_error_interval(classifier(500, 0.0, seed), resamples=100) for seed in range(20)]
    assert np.mean([found.by_chance for found in errors]) == pytest.approx(
        np.mean([found.ece for found in errors]), rel=0.15
    )


def test_more_images_make_it_narrower_and_mass_bins_do_as_well() -> None:
    few, many = (calibration_error_interval(classifier(n, 0.1, 0), resamples=200).interval for n in (200, 5000))
    assert many.width < few.width / 2
    assert 0.1 in calibration_error_interval(classifier(5000, 0.1, 0), binning="mass", resamples=200).interval


def test_equal_calls_give_equal_numbers() -> None:
    predictions = classifier(100, 0.05, 0)
    assert calibration_error_interval(predictions) == calibration_error_interval(predictions)


def test_repeats_that_predict_the_same_are_as_sure_as_one_of_them() -> None:
    one = classifier(300, 0.05, 0)
    twice = ClassPredictions(np.tile(one.probabilities, (2, 1)), np.tile(one.labels, 2), one.names)
    single, both = calibration_error_interval(one), calibration_error_interval(twice, repeats=2)
    assert (both.interval.low, both.interval.high) == pytest.approx((single.interval.low, single.interval.high))
    assert both.by_chance == pytest.approx(single.by_chance)
    # Taken for as many pictures more, they would seem surer.
    assert calibration_error_interval(twice).interval.width < 0.85 * single.interval.width
    with pytest.raises(UsageError, match="300 predictions are not of 7 classifiers"):
        calibration_error_interval(one, repeats=7)
