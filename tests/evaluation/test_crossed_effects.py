"""Trainings and pictures as two sources of chance, against accuracies that are known."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import crossed_difference, crossed_intervals, mean_interval, wilson


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
    found, expected, grain = crossed_intervals(scores), wilson(90, 100), 0.01 / 2 / np.sqrt(3) * stats.t.ppf(0.975, 2)
    assert found.std_of_seeds == 0.0 and expected is not None
    # Wilson's, but for Student's t with 99 degrees of freedom and one less in the variance; and half a picture between
    # repeats at the least.
    ends = 0.9 - np.hypot(0.9 - expected.low, grain), 0.9 + np.hypot(expected.high - 0.9, grain)
    assert (found.new_images.low, found.new_images.high) == pytest.approx(ends, abs=2e-3)


def test_all_right_is_not_certain() -> None:
    found = crossed_intervals(np.ones((3, 50)))
    assert found.new_images.high == 1.0 and found.new_images.low == pytest.approx(0.92, abs=0.003)


@pytest.mark.parametrize("repeats", [2, 3, 10])
@pytest.mark.parametrize("seed_std", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("images", [20, 400])
def test_the_interval_for_new_images_contains_that_for_these(repeats: int, seed_std: float, images: int) -> None:
    for seed in range(20):
        first, second = (trainings(repeats, images, 0.9, seed_std, 100 * which + seed) for which in (1, 2))
        for found in (crossed_intervals(first), crossed_difference(first, second)):
            these, new = found.these_images, found.new_images
            assert new.low <= these.low <= found.mean <= these.high <= new.high


def test_a_difference_of_two_recipes_may_be_negative() -> None:
    first, second = trainings(4, 300, 0.8, 0.1, seed=2), trainings(4, 300, 0.9, 0.1, seed=3)
    found = crossed_difference(first, second)
    assert found.new_images.low < found.mean < found.new_images.high < 0
    assert (found.new_images.low + found.new_images.high) / 2 == pytest.approx(found.mean)
    expected = mean_interval(first.mean(axis=1) - second.mean(axis=1), within=(-1, 1))
    assert (found.these_images.low, found.these_images.high) == pytest.approx((expected.low, expected.high))
    assert json.dumps(found.to_dict())


def test_a_difference_has_half_widths_of_repeats_and_pictures_added_in_squares() -> None:
    first, second = trainings(3, 500, 0.8, 0.2, seed=4), trainings(3, 500, 0.85, 0.2, seed=5)
    found, differences = crossed_difference(first, second), first - second
    rest = differences - differences.mean(axis=1, keepdims=True) - differences.mean(axis=0) + differences.mean()
    square_of_rest = (rest**2).sum() / (2 * 499)
    of_images = differences.mean(axis=0).var(ddof=1) / 500 - square_of_rest / (3 * 500)
    halves = stats.t.ppf(0.975, 2) * stats.sem(differences.mean(axis=1)), stats.t.ppf(0.975, 499) * np.sqrt(of_images)
    assert found.std_of_images == pytest.approx(np.sqrt(of_images))
    assert found.new_images.width / 2 == pytest.approx(np.hypot(*halves))


@pytest.mark.parametrize(("repeats", "seed_std"), [(2, 0.1), (3, 0.0), (3, 0.2), (6, 0.1)])
def test_a_difference_of_new_trainings_on_new_images_is_covered(repeats: int, seed_std: float) -> None:
    # What one recipe does better is had by chance of the images, as well as by that of trainings.
    covered = 0
    for seed in range(200):
        first, second = two_recipes(repeats, 400, (0.93, 0.91), seed_std, seed)
        covered += 0.02 in crossed_difference(first, second).new_images
    assert covered >= stats.binom.ppf(0.001, 200, 0.95)


def test_what_a_difference_is_on_these_images_covers_new_ones_less_often() -> None:
    found = [crossed_difference(*two_recipes(10, 200, (0.93, 0.91), 0.0, seed)) for seed in range(200)]
    assert sum(0.02 in one.these_images for one in found) < 0.85 * 200 < sum(0.02 in one.new_images for one in found)


def two_recipes(
    repeats: int, images: int, accuracies: tuple[float, float], seed_std: float, seed: int
) -> list[np.ndarray]:
    """Of the same images, each hard for both recipes, and besides for the one or the other."""
    generator, scores = np.random.default_rng(seed), []
    hardness = generator.normal(0, 2, (1, images))
    for accuracy in accuracies:
        own, luck = generator.normal(0, 1, (1, images)), generator.normal(0, seed_std, (repeats, 1))
        threshold = stats.norm.ppf(accuracy) * np.sqrt(1 + 4 + 1 + seed_std**2)
        scores.append((threshold + hardness + own + luck + generator.normal(0, 1, (repeats, images)) > 0).astype(float))
    return scores


def test_recipes_of_other_pictures_have_no_difference() -> None:
    with pytest.raises(UsageError, match="belong together"):
        crossed_difference(np.ones((2, 50)), np.ones((3, 50)))


def test_one_training_or_one_image_cannot_tell_them_apart() -> None:
    for shape in ((1, 50), (3, 1), (6,)):
        with pytest.raises(UsageError, match="two repeats or more"):
            crossed_intervals(np.ones(shape))
