"""Intervals of areas under the ROC curve, against DeLong's variance as it is defined and areas that are known."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from cnnlab.evaluation import ClassPredictions, roc
from cnnlab.evaluation.metrics.auc_interval import auc_interval, auc_parts, class_areas

Z = 1.959964


def scores_of(own: int, others: int, auc: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Normal scores of which the class's own are higher, so much that the true area is known."""
    is_own = np.arange(own + others) < own
    shift = stats.norm.ppf(auc) * np.sqrt(2)
    return np.random.default_rng(seed).normal(shift * is_own, 1), is_own


def classes_of(n: int, k: int, seed: int = 0) -> ClassPredictions:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, k, n)
    logits = generator.normal(0, 1, (n, k)) + 1.5 * np.eye(k)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return ClassPredictions(probabilities=probabilities, labels=labels, names=tuple("abcdefgh"[:k]))


def delong_variance(scores: np.ndarray, is_own: np.ndarray) -> float:
    """By its definition, from every pair of one of the class and one of the rest."""
    ahead = scores[is_own][:, None] - scores[~is_own]
    wins = (ahead > 0) + (ahead == 0) / 2
    return float(wins.mean(axis=1).var(ddof=1) / len(wins) + wins.mean(axis=0).var(ddof=1) / wins.shape[1])


def test_the_variance_is_delongs_with_ties_too() -> None:
    scores, is_own = scores_of(20, 35, 0.8)
    for measured in (scores, scores.round()):
        parts = auc_parts(measured, is_own)
        assert parts.auc == pytest.approx(roc_auc_score(is_own, measured))
        assert (parts.parts**2).sum() == pytest.approx(delong_variance(measured, is_own))


def test_the_interval_is_symmetric_in_log_odds() -> None:
    scores, is_own = scores_of(400, 400, 0.9)
    parts = auc_parts(scores, is_own)
    found, auc = auc_interval(parts), parts.auc
    assert found is not None
    odds = [np.log(value / (1 - value)) for value in (found.low, auc, found.high)]
    assert odds[1] - odds[0] == pytest.approx(odds[2] - odds[1])
    # With hundreds on either side Student's t is nearly normal.
    error = np.sqrt(delong_variance(scores, is_own)) / (auc * (1 - auc))
    assert odds[1] - odds[0] == pytest.approx(Z * error, rel=0.005)


@pytest.mark.parametrize(("own", "others", "auc"), [(10, 10, 0.8), (10, 90, 0.6), (36, 320, 0.9), (50, 50, 0.98)])
def test_the_true_area_is_covered(own: int, others: int, auc: float) -> None:
    covered = 0
    for seed in range(300):
        found = auc_interval(auc_parts(*scores_of(own, others, auc, seed)))
        covered += found is not None and auc in found
    assert covered >= stats.binom.ppf(0.001, 300, 0.93)


def test_without_a_mistake_the_fewer_pictures_set_the_bound() -> None:
    # Three pairs that share no picture are all right in one case of forty at 0.025 ** (1 / 3).
    best, worst = (auc_interval(auc_parts(np.arange(8.0), own)) for own in (np.arange(8) >= 5, np.arange(8) < 3))
    assert best is not None and worst is not None
    assert (best.low, best.high) == (pytest.approx(0.025 ** (1 / 3)), 1.0)
    assert (worst.low, worst.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 3)))


def test_one_image_of_a_class_tells_no_spread() -> None:
    alone = auc_parts(np.arange(5.0), np.arange(5) == 2)
    assert alone.auc == 0.5 and auc_interval(alone) is None
    predictions = ClassPredictions(np.array([[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]]), np.array([0, 1, 1]), ("cat", "dog"))
    assert roc(predictions).curves["cat"].interval is None
    assert roc(predictions).macro.interval is None


def test_every_curve_has_the_interval_of_its_own_area() -> None:
    found = roc(classes_of(200, 4))
    for curve in (*found.curves.values(), found.micro, found.macro):
        assert curve.interval is not None and curve.interval.low < curve.auc < curve.interval.high
        assert curve.to_dict()["interval"]["method"] == "DeLong, 200 pictures"
    # Each class counts a quarter of the images, the averages count all.
    assert found.macro.interval is not None and found.curves["a"].interval is not None
    assert found.macro.interval.width < found.curves["a"].interval.width


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_averages_vary_as_resampled_images_do(average: str) -> None:
    predictions = classes_of(150, 3, seed=4)
    interval = getattr(roc(predictions), average).interval
    generator, areas = np.random.default_rng(0), []
    for _ in range(300):
        drawn = generator.integers(0, 150, 150)
        sample = ClassPredictions(predictions.probabilities[drawn], predictions.labels[drawn], predictions.names)
        areas.append(getattr(roc(sample), average).auc)
    assert interval.width == pytest.approx(2 * Z * np.std(areas), rel=0.15)


def test_areas_of_one_training_are_those_of_its_curves() -> None:
    predictions = classes_of(120, 3)
    areas, curves = class_areas([predictions]), roc(predictions)
    assert {name: one.value for name, one in areas.by_class.items()} == pytest.approx(curves.auc)
    assert areas.mean.value == pytest.approx(curves.macro.auc)
    assert {name: one.interval for name, one in areas.by_class.items()} == {
        name: curve.interval for name, curve in curves.curves.items()
    }


def test_the_mean_area_of_several_trainings_varies_as_resampled_images_do() -> None:
    first, other = classes_of(150, 3, seed=4), classes_of(150, 3, seed=5)
    # Half of what the second says is what the first says, as repeats agree on hard images.
    mixed = (first.probabilities + other.probabilities) / 2
    repeats = [first, ClassPredictions(mixed, first.labels, first.names)]
    found = class_areas(repeats)
    assert found.mean.value == pytest.approx(np.mean([class_areas([one]).mean.value for one in repeats]))
    generator, areas = np.random.default_rng(0), []
    for _ in range(300):
        drawn = generator.integers(0, 150, 150)
        sample = [ClassPredictions(one.probabilities[drawn], one.labels[drawn], one.names) for one in repeats]
        areas.append(class_areas(sample).mean.value)
    assert found.mean.interval is not None
    assert found.mean.interval.width == pytest.approx(2 * Z * np.std(areas), rel=0.15)


def test_trainings_that_agree_are_no_surer_than_one_of_them() -> None:
    one = classes_of(100, 3)
    assert class_areas([one, one, one]).mean.interval == class_areas([one]).mean.interval


def test_areas_of_different_images_are_not_taken_together() -> None:
    with pytest.raises(ValueError, match="same pictures"):
        class_areas([classes_of(100, 3), classes_of(100, 3, seed=1)])


def test_a_class_that_is_absent_has_no_area_and_does_not_count() -> None:
    two = classes_of(80, 2)
    predictions = ClassPredictions(np.hstack([two.probabilities, np.zeros((80, 1))]), two.labels, ("a", "b", "gone"))
    found = class_areas([predictions])
    assert np.isnan(found.by_class["gone"].value) and found.by_class["gone"].interval is None
    assert found.mean.value == pytest.approx(class_areas([two]).mean.value)
