"""Metrics of stored predictions, worked by hand and by their properties; against scikit-learn, see tests/parity."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import ClassPredictions, calibration, class_predictions, per_class, roc, top_k_accuracy
from cnnlab.runs import Predictions
from cnnlab.runs.record import json_value


def drawn(seed: int = 0, n: int = 300, classes: int = 4, coarse: bool = False) -> ClassPredictions:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, n)
    logits = generator.normal(0, 1.5, (n, classes)) + 1.5 * np.eye(classes)[labels]
    # Coarse ones hold many ties.
    logits = np.round(logits) if coarse else logits
    rows = np.exp(logits)
    return ClassPredictions(rows / rows.sum(axis=1, keepdims=True), labels)


def stored(logits: np.ndarray, labels: list[int], **changes: object) -> Predictions:
    facts = {
        "outputs": {"label": logits.astype(np.float32)},
        "targets": {"label": np.array(labels)},
        "ids": [str(place) for place in range(len(labels))],
        "objective": "classes(column=none)",
        "classes": {"label": ("cat", "dog", "owl")},
        "data": "d",
        "split": "test",
    }
    return Predictions(**{**facts, **changes})  # type: ignore[arg-type]


HAND = ClassPredictions(
    np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.5, 0.4]]),
    np.array([0, 1, 1, 2]),
    ("a", "b", "c"),
)


def test_what_is_not_defined_is_nan_and_left_out_of_the_means() -> None:
    # Class c is never predicted, and d neither present nor predicted.
    rows = np.hstack([HAND.probabilities, np.zeros((4, 1))])
    table = per_class(ClassPredictions(rows, HAND.labels, ("a", "b", "c", "d")))
    np.testing.assert_allclose(table.precision, [1 / 2, 1 / 2, np.nan, np.nan])
    np.testing.assert_allclose(table.recall, [1, 1 / 2, 0, np.nan])
    np.testing.assert_allclose(table.f1, [2 / 3, 1 / 2, 0, np.nan])
    macro = table.averages()["macro"]
    assert macro == pytest.approx({"precision": 0.5, "recall": 0.5, "f1": 7 / 18})
    theirs = metrics.f1_score(HAND.labels, HAND.predicted, average=None, labels=[0, 1, 2, 3], zero_division=np.nan)
    np.testing.assert_allclose(table.f1, theirs)


def test_scores_agree_with_those_that_a_run_records() -> None:
    import torch

    from cnnlab import objectives

    logits = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 3, 60)
    predictions = stored(logits, labels.tolist())
    objective = objectives.build_objective("classes", {"label": ("cat", "dog", "owl")})
    recorded = objective.metrics(torch.from_numpy(logits), {"label": torch.from_numpy(labels)})
    table = per_class(predictions)
    assert table.averages()["macro"]["f1"] == pytest.approx(recorded["macro_f1"])
    assert table.averages()["macro"]["recall"] == pytest.approx(recorded["balanced_accuracy"])
    assert table.accuracy == pytest.approx(recorded["accuracy"])
    assert calibration(predictions).nll == pytest.approx(recorded["loss"], rel=1e-5)


def test_the_mean_curve_has_the_mean_area() -> None:
    macro = roc(drawn()).macro
    assert np.trapezoid(macro.true_positive_rate, macro.false_positive_rate) == pytest.approx(macro.auc, abs=1e-9)


def test_area_is_the_chance_of_ranking_a_image_of_the_class_above_another() -> None:
    classes = drawn(n=60, coarse=True)
    own, others = classes.probabilities[classes.labels == 0, 0], classes.probabilities[classes.labels != 0, 0]
    pairs = own[:, None] - others
    assert roc(classes).auc["0"] == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_an_absent_class_has_no_curve_and_does_not_count() -> None:
    classes = drawn(n=50, classes=3)
    missing = ClassPredictions(classes.probabilities, np.where(classes.labels == 2, 1, classes.labels))
    curves = roc(missing)
    assert np.isnan(curves.auc["2"])
    assert curves.macro.auc == pytest.approx((curves.auc["0"] + curves.auc["1"]) / 2)
    assert json.dumps(json_value(curves.to_dict()), allow_nan=False)


def test_top_1_is_accuracy_even_with_ties_and_top_all_is_certain() -> None:
    classes = drawn(coarse=True)
    assert top_k_accuracy(classes, 1) == classes.right.mean()
    assert top_k_accuracy(classes, 4) == 1.0
    with pytest.raises(UsageError, match="from 1 to the number of classes, 4; 5"):
        top_k_accuracy(classes, 5)


def test_calibration_error_worked_by_hand() -> None:
    # Confidences 0.8 right, 0.6 wrong, 0.7 right, 0.5 wrong; two bins of equal width put all but 0.5 in the upper one.
    result = calibration(HAND, bins=2)
    assert [(bin_.low, bin_.high, bin_.n) for bin_ in result.bins] == [(0.0, 0.5, 1), (0.5, 1.0, 3)]
    assert result.bins[1].confidence == pytest.approx(0.7)
    assert result.bins[1].accuracy == pytest.approx(2 / 3)
    assert result.ece == pytest.approx(0.25 * 0.5 + 0.75 * (0.7 - 2 / 3))
    assert result.mce == pytest.approx(0.5)
    assert (result.accuracy, result.confidence, result.n) == (0.5, pytest.approx(0.65), 4)


def test_bins_of_equal_mass_hold_as_many_images() -> None:
    result = calibration(drawn(), bins=10, binning="mass")
    assert [bin_.n for bin_ in result.bins] == [30] * 10
    assert result.bins[0].low == 0.0
    by_hand = sum(bin_.n * abs(bin_.confidence - bin_.accuracy) for bin_ in result.bins) / 300
    assert result.ece == pytest.approx(by_hand)


def test_equal_confidences_stay_in_one_bin() -> None:
    rows = np.tile([0.7, 0.3], (20, 1))
    result = calibration(ClassPredictions(rows, np.array([0] * 14 + [1] * 6)), bins=5, binning="mass")
    assert [bin_.n for bin_ in result.bins] == [20]
    assert result.ece == pytest.approx(0, abs=1e-12)


@given(st.integers(1, 40), st.sampled_from(["width", "mass"]))
def test_every_image_is_in_one_bin(bins: int, binning: str) -> None:
    result = calibration(drawn(coarse=True), bins=bins, binning=binning)  # type: ignore[arg-type]
    assert sum(bin_.n for bin_ in result.bins) == 300
    assert 0 <= result.ece <= result.mce <= 1
    assert all(bin_.low < bin_.confidence <= bin_.high + 1e-12 for bin_ in result.bins if bin_.n)


@given(st.permutations(range(30)))
def test_order_of_the_images_does_not_matter(order: list[int]) -> None:
    classes = drawn(n=30)
    turned = ClassPredictions(classes.probabilities[order], classes.labels[order])
    assert calibration(turned).ece == pytest.approx(calibration(classes).ece)
    assert roc(turned).auc == pytest.approx(roc(classes).auc)
    np.testing.assert_allclose(per_class(turned).f1, per_class(classes).f1)


def test_a_certain_mistake_has_no_finite_likelihood() -> None:
    result = calibration(ClassPredictions(np.array([[1.0, 0.0]]), np.array([1])))
    assert result.nll == np.inf
    assert result.brier == 2.0
    assert json.dumps(json_value(result.to_dict()), allow_nan=False)


def test_stored_outputs_become_probabilities_by_their_objective() -> None:
    classes = class_predictions(stored(np.log([[8, 1, 1], [2, 2, 6]]), [0, 1]))
    np.testing.assert_allclose(classes.probabilities, [[0.8, 0.1, 0.1], [0.2, 0.2, 0.6]], atol=1e-6)
    assert classes.names == ("cat", "dog", "owl")
    assert classes.right.tolist() == [True, False]


def test_a_head_named_otherwise_than_its_column_is_found_and_other_columns_do_not_hinder() -> None:
    from cnnlab import objectives

    names = {"hour": ("one", "two", "three"), "colour": ("red", "blue")}
    spec = objectives.build_objective("multi-head(h=classes(column=hour))", names).spec
    outputs = np.log([[8, 1, 1], [2, 2, 6]])
    targets = {"hour": np.array([0, 1]), "colour": np.array([1, 1])}
    classes = class_predictions(
        stored(outputs, [0, 1], outputs={"h": outputs}, targets=targets, classes=names, objective=spec)
    )
    np.testing.assert_allclose(classes.probabilities, [[0.8, 0.1, 0.1], [0.2, 0.2, 0.6]], atol=1e-6)
    assert classes.right.tolist() == [True, False]


def test_two_classes_of_one_output_have_a_probability_each() -> None:
    predictions = stored(
        np.array([[0.0], [np.log(3)]]), [0, 1], objective="binary(column=label)", classes={"label": ("no", "yes")}
    )
    np.testing.assert_allclose(class_predictions(predictions).probabilities, [[0.5, 0.5], [0.25, 0.75]], atol=1e-7)


def test_what_was_decided_may_not_be_the_most_probable() -> None:
    classes = ClassPredictions(HAND.probabilities, HAND.labels, HAND.names, np.array([0, 1, 1, 2]))
    assert classes.right.all()
    assert classes.confidence.tolist() == [0.8, 0.3, 0.7, 0.4]


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(UsageError, match="targets of test are not known"):
        per_class(stored(np.eye(3), [0, 1, 2], targets={}))
    with pytest.raises(UsageError, match="not finite"):
        calibration(stored(np.array([[1, np.nan, 0]]), [0]))
    with pytest.raises(UsageError, match="sum to 1"):
        ClassPredictions(np.array([[2.0, 1.0]]), np.array([0]))
    with pytest.raises(UsageError, match="from 0 to 1"):
        ClassPredictions(np.array([[0.5, 0.5]]), np.array([2]))
    with pytest.raises(UsageError, match="no pictures"):
        ClassPredictions(np.empty((0, 2)), np.empty(0))
    with pytest.raises(UsageError, match="3 names"):
        ClassPredictions(np.array([[0.5, 0.5]]), np.array([0]), ("a", "b", "c"))
    with pytest.raises(UsageError, match="one bin"):
        calibration(HAND, bins=0)
    with pytest.raises(UsageError, match="no binning"):
        calibration(HAND, binning="depth")  # type: ignore[arg-type]


def test_tables_have_a_row_a_class_a_bin_and_a_point() -> None:
    assert per_class(HAND).frame()["class"].tolist() == ["a", "b", "c"]
    assert len(calibration(HAND, bins=5).frame()) == 5
    assert set(roc(HAND).frame()["class"]) == {"a", "b", "c"}
    assert json.dumps(json_value(per_class(HAND).to_dict()), allow_nan=False)
