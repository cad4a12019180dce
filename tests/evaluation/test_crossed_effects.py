"""Trainings and pictures as two sources of chance, against accuracies that are known."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import crossed_intervals, mean_interval, wilson


def trainings(repeats: int, images: int, accuracy: float, seed_std: float, seed: int) -> np.ndarray:
    """Right or wrong by how hard an image is, how good a training came out, and chance: all normal, and a threshold."""
    generator = np.random.default_rng(seed)
    hardness, luck = generator.normal(0, 2, (1, images)), generator.normal(0, seed_std, (repeats, 1))
    threshold = stats.norm.ppf(accuracy) * np.sqrt(1 + 4 + seed_std**2)
    return (threshold + hardness + luck + generator.normal(0, 1, (repeats, images)) > 0).astype(float)


def test_mean_squares_are_those_of_the_analysis_of_variance() -> None:
    scores = trainings(4, 60, 0.8, 0.4, seed=0)
    found = crossed_intervals(scores)
    rows, columns = np.indices(scores.shape)
    frame = pd.DataFrame({"y": scores.ravel(), "r": rows.ravel(), "c": columns.ravel()})
    model = ols("y ~ C(r) + C(c)", frame).fit()
    squares = anova_lm(model)["mean_sq"]
    assert found.std_of_seeds**2 == pytest.approx(squares["C(r)"] / 60)
    assert found.std_of_images**2 == pytest.approx((squares["C(c)"] - squares["Residual"]) / (4 * 60))


@pytest.mark.parametrize(
    ("repeats", "images", "accuracy", "seed_std"),
    [(2, 300, 0.9, 0.3), (3, 300, 0.9, 0.0), (3, 300, 0.94, 0.1), (5, 1000, 0.7, 0.3), (3, 100, 0.98, 0.1)],
)
def test_new_trainings_on_new_images_are_covered(repeats: int, images: int, accuracy: float, seed_std: float) -> None:
    studies = [crossed_intervals(trainings(repeats, images, accuracy, seed_std, seed)) for seed in range(200)]
    assert sum(accuracy in found.new_images for found in studies) >= stats.binom.ppf(0.001, 200, 0.95)


def test_the_interval_of_one_training_covers_its_recipe_less_often() -> None:
    runs = [trainings(1, 10_000, 0.94, 0.05, seed).mean() for seed in range(200)]
    covered = sum(0.94 in found for run in runs if (found := wilson(round(run * 10_000), 10_000)))
    assert covered < 0.9 * 200


def test_the_same_images_are_an_interval_over_repeats_alone() -> None:
    scores = trainings(5, 200, 0.9, 0.3, seed=1)
    assert crossed_intervals(scores).these_images == mean_interval(scores.mean(axis=1), within=(0, 1), step=1 / 200)


def test_repeats_that_agree_on_every_image_leave_the_chance_of_the_images() -> None:
    scores = np.tile(np.arange(100) < 90, (3, 1))
    found, expected = crossed_intervals(scores), wilson(90, 100)
    assert found.std_of_seeds == 0.0 and expected is not None
    # Wilson's, but for Student's t with 99 degrees of freedom and one less in the variance.
    assert (found.new_images.low, found.new_images.high) == pytest.approx((expected.low, expected.high), abs=2e-3)


def test_all_right_is_not_certain() -> None:
    found = crossed_intervals(np.ones((3, 50)))
    assert found.new_images.high == 1.0 and found.new_images.low == pytest.approx(0.925, abs=0.003)


def test_a_difference_of_two_recipes_may_be_negative() -> None:
    difference = trainings(4, 300, 0.8, 0.1, seed=2) - trainings(4, 300, 0.9, 0.1, seed=3)
    found = crossed_intervals(difference, within=(-1, 1))
    assert found.new_images.low < found.mean < found.new_images.high < 0
    assert (found.new_images.low + found.new_images.high) / 2 == pytest.approx(found.mean)
    assert json.dumps(found.to_dict())


def test_one_training_or_one_image_cannot_tell_them_apart() -> None:
    for shape in ((1, 50), (3, 1), (6,)):
        with pytest.raises(UsageError, match="two repeats or more"):
            crossed_intervals(np.ones(shape))
