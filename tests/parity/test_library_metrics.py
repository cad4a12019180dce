"""Metrics against scikit-learn's: those of runs, by their objectives, and those of stored predictions."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve

from cnnlab import objectives
from cnnlab.evaluation import ClassPredictions, calibration, confusion, per_class, roc, top_k_accuracy
from cnnlab.objectives.binary import area_under_roc
from cnnlab.runs import Predictions


def test_scalar_metrics_equal_those_of_scikit_learn() -> None:
    objective = objectives.build_objective("scalar(range=[0, 10])", {"size": None})
    source = torch.Generator().manual_seed(0)
    truth, said = 10 * torch.rand(50, generator=source), 10 * torch.rand(50, generator=source)
    actual = objective.metrics(((said - 5) / 5)[:, None], {"size": truth})
    a, b = truth.numpy(), said.numpy()
    assert actual == pytest.approx(
        {
            "loss": metrics.mean_squared_error(a, b) / 25,
            "mean_absolute_error": metrics.mean_absolute_error(a, b),
            "median_absolute_error": metrics.median_absolute_error(a, b),
            "root_mean_square_error": metrics.root_mean_squared_error(a, b),
            "r2": metrics.r2_score(a, b),
        },
        rel=1e-5,
    )


def test_binary_metrics_equal_those_of_scikit_learn() -> None:
    objective = objectives.build_objective("binary", {"side": ("left", "right")})
    source = torch.Generator().manual_seed(0)
    truth, logits = torch.randint(2, (80,), generator=source), torch.randn(80, 1, generator=source)
    actual = objective.metrics(logits, {"side": truth})
    share, said = torch.sigmoid(logits[:, 0]).numpy(), (logits[:, 0] > 0).numpy()
    assert actual == pytest.approx(
        {
            "loss": metrics.log_loss(truth, share),
            "accuracy": metrics.accuracy_score(truth, said),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, said),
            "f1": metrics.f1_score(truth, said),
            "roc_auc": metrics.roc_auc_score(truth, share),
        },
        rel=1e-5,
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30))
def test_area_under_roc_is_that_of_scikit_learn_with_ties(pairs: list[tuple[int, bool]]) -> None:
    scores, truth = torch.tensor([float(s) for s, _ in pairs]), torch.tensor([int(t) for _, t in pairs])
    if len(set(truth.tolist())) == 2:
        assert area_under_roc(scores, truth) == pytest.approx(metrics.roc_auc_score(truth, scores))


@pytest.mark.parametrize(("count", "size", "present"), [(2, 9, 2), (4, 50, 4), (12, 300, 12), (6, 25, 3), (30, 20, 30)])
def test_metrics_of_classes_equal_those_of_scikit_learn(count: int, size: int, present: int) -> None:
    objective = objectives.build_objective("classes", {"label": tuple(f"class{place}" for place in range(count))})
    source = torch.Generator().manual_seed(count)
    logits, labels = torch.randn(size, count, generator=source), torch.randint(present, (size,), generator=source)
    truth, predicted = labels.numpy(), logits.argmax(1).numpy()
    actual = objective.metrics(logits, {"label": labels})
    probabilities = torch.softmax(logits.double(), 1).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of predicted classes that do not occur
        expected = {
            "loss": metrics.log_loss(truth, probabilities, labels=range(count)),
            "accuracy": metrics.accuracy_score(truth, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
            "macro_f1": metrics.f1_score(truth, predicted, average="macro"),
        }
    if count > 10:
        expected["top5_accuracy"] = metrics.top_k_accuracy_score(truth, logits.numpy(), k=5, labels=range(count))
    assert actual == pytest.approx(expected, abs=1e-9)


def drawn(seed: int = 0, n: int = 300, classes: int = 4, coarse: bool = False) -> ClassPredictions:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, n)
    logits = generator.normal(0, 1.5, (n, classes)) + 1.5 * np.eye(classes)[labels]
    # Coarse ones hold many ties.
    logits = np.round(logits) if coarse else logits
    rows = np.exp(logits)
    return ClassPredictions(rows / rows.sum(axis=1, keepdims=True), labels)


@pytest.mark.parametrize("seed", range(3))
def test_precision_recall_and_f1_are_those_of_scikit_learn(seed: int) -> None:
    predictions, table = drawn(seed), per_class(drawn(seed))
    expected = metrics.precision_recall_fscore_support(predictions.labels, predictions.predicted)
    for mine, theirs in zip((table.precision, table.recall, table.f1, table.support), expected, strict=True):
        np.testing.assert_allclose(mine, theirs)
    for average, values in table.averages().items():
        theirs = metrics.precision_recall_fscore_support(predictions.labels, predictions.predicted, average=average)[:3]
        assert list(values.values()) == pytest.approx(list(theirs))


@pytest.mark.parametrize("coarse", [False, True])
def test_roc_curves_and_areas_are_those_of_scikit_learn(coarse: bool) -> None:
    predictions = drawn(coarse=coarse)
    curves = roc(predictions)
    one_hot = np.eye(4)[predictions.labels]
    for place, curve in enumerate(curves.curves.values()):
        false, true, _ = metrics.roc_curve(
            one_hot[:, place], predictions.probabilities[:, place], drop_intermediate=False
        )
        np.testing.assert_allclose(curve.false_positive_rate, false)
        np.testing.assert_allclose(curve.true_positive_rate, true)
    theirs = [
        metrics.roc_auc_score(one_hot, predictions.probabilities, average=average) for average in ("macro", "micro")
    ]
    assert [curves.macro.auc, curves.micro.auc] == pytest.approx(theirs)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_is_that_of_scikit_learn(k: int) -> None:
    predictions = drawn()
    expected = metrics.top_k_accuracy_score(predictions.labels, predictions.probabilities, k=k, labels=range(4))
    assert top_k_accuracy(predictions, k) == pytest.approx(expected)


def test_brier_and_likelihood_are_those_of_scikit_learn() -> None:
    predictions = drawn()
    result = calibration(predictions)
    assert result.nll == pytest.approx(metrics.log_loss(predictions.labels, predictions.probabilities))
    one_hot = np.eye(4)[predictions.labels]
    assert result.brier == pytest.approx(4 * metrics.mean_squared_error(one_hot, predictions.probabilities))


def test_bins_of_equal_width_are_scikit_learns_calibration_curve() -> None:
    predictions = drawn()
    filled = [bin for bin in calibration(predictions, bins=10).bins if bin.n]
    share, confidence = calibration_curve(predictions.right, predictions.confidence, n_bins=10)
    assert [bin.accuracy for bin in filled] == pytest.approx(share)
    assert [bin.confidence for bin in filled] == pytest.approx(confidence)


def test_confusion_matrix_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    outputs = generator.normal(size=(200, 3)).astype(np.float32)
    targets = generator.integers(0, 3, 200)
    predictions = Predictions(
        outputs={"label": outputs},
        targets={"label": targets},
        ids=[str(place) for place in range(200)],
        objective="classes(column=label)",
        classes={"label": ("cat", "dog", "owl")},
        data="d",
        split="test",
    )
    matrix = confusion(predictions)
    np.testing.assert_array_equal(matrix.counts, metrics.confusion_matrix(targets, outputs.argmax(1)))
