"""Confident learning against cleanlab, and on labels that were changed on purpose."""

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.filter import find_label_issues
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from cnnlab.explain.mistakes.confident_learning import confident_joint, confident_thresholds, wrong_labels


def predictions(seed: int, classes: int, count: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a network that is often right, and labels of which a tenth are wrong."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, classes, count)
    logits = draw.normal(size=(count, classes)) + sharpness * np.eye(classes)[truth]
    exponentials = np.exp(logits)
    labels = np.where(draw.random(count) < 0.1, draw.integers(0, classes, count), truth)
    return exponentials / exponentials.sum(1, keepdims=True), labels


@pytest.mark.parametrize("case", [(0, 10, 3000, 3.0), (1, 3, 500, 1.0), (2, 2, 200, 2.0), (3, 40, 4000, 5.0)])
def test_thresholds_joint_and_labels_found_are_those_of_cleanlab(case: tuple[int, int, int, float]) -> None:
    probabilities, labels = predictions(*case)
    assert confident_thresholds(probabilities, labels) == pytest.approx(get_confident_thresholds(labels, probabilities))
    assert (confident_joint(probabilities, labels) == compute_confident_joint(labels, probabilities)).all()
    found = wrong_labels(probabilities, labels)
    assert found.any()
    assert (found == find_label_issues(labels, probabilities, n_jobs=1)).all()


def test_of_labels_changed_on_purpose_nine_in_ten_are_found_and_few_others() -> None:
    pixels, truth = load_digits(return_X_y=True)
    draw = np.random.default_rng(0)
    changed = draw.random(len(truth)) < 0.08
    labels = np.where(changed, (truth + draw.integers(1, 10, len(truth))) % 10, truth)
    neighbours = KNeighborsClassifier(20, weights="distance")
    probabilities = cross_val_predict(neighbours, pixels, labels, cv=5, method="predict_proba")
    found = wrong_labels(probabilities, labels)
    precision, recall = (found & changed).sum() / found.sum(), (found & changed).sum() / changed.sum()
    assert precision > 0.85 and recall > 0.9
    assert np.mean(found[~changed]) < 0.015


def test_of_perfect_labels_none_are_found() -> None:
    labels = np.arange(200) % 4
    assert not wrong_labels(np.eye(4)[labels] * 0.9 + 0.025, labels).any()
