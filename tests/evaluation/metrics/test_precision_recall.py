import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from cnnlab.evaluation import ClassPredictions, precision_recall


def _two_classes(scores: list[float], labels: list[int]) -> ClassPredictions:
    likely = np.array(scores)
    return ClassPredictions(np.stack([1 - likely, likely], axis=1), np.array(labels), ("no", "yes"))


def test_each_picture_that_is_found_gives_the_precision_worked_out_by_hand() -> None:
    curve = precision_recall(_two_classes([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0])).curves["yes"]
    assert curve.recall.tolist() == [0.5, 1.0]
    assert curve.precision.tolist() == pytest.approx([1.0, 2 / 3])
    assert curve.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert curve.prevalence == 0.5


def test_pictures_of_one_probability_are_found_together() -> None:
    curve = precision_recall(_two_classes([0.6, 0.6, 0.6, 0.2], [1, 0, 0, 1])).curves["yes"]
    assert curve.precision.tolist() == pytest.approx([1 / 3, 1 / 2])


def test_average_precision_is_that_of_scikit_learn_also_with_ties() -> None:
    draws = np.random.default_rng(0)
    likely = np.round(draws.dirichlet(np.ones(4), 300), 1) + 1e-9
    likely /= likely.sum(axis=1, keepdims=True)
    labels = draws.integers(0, 4, 300)
    found = precision_recall(ClassPredictions(likely, labels))
    for place, value in enumerate(found.average_precision.values()):
        assert value == pytest.approx(average_precision_score(labels == place, likely[:, place]))
    assert found.macro == pytest.approx(np.mean(list(found.average_precision.values())))


def test_a_class_without_pictures_has_no_curve_and_no_part_in_the_mean() -> None:
    likely = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]])
    found = precision_recall(ClassPredictions(likely, np.array([0, 1]), ("a", "b", "none")))
    assert np.isnan(found.average_precision["none"]) and not len(found.curves["none"].recall)
    assert found.macro == 1.0
    assert set(found.frame()["class"]) == {"a", "b"}
