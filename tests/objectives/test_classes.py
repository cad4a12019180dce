"""The objective for classes, against torch and scikit-learn."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle
from torch import Tensor

from cnnlab import objectives
from cnnlab.objectives import Classes


def names(count: int) -> tuple[str, ...]:
    return tuple(f"class{i}" for i in range(count))


def case(count: int, size: int, seed: int, present: int | None = None) -> tuple[Classes, Tensor, Tensor]:
    """An objective, random logits and labels; only the first ``present`` classes occur among the labels."""
    source = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, count, generator=source)
    labels = torch.randint(present or count, (size,), generator=source)
    return Classes("label", names(count)), logits, labels


@pytest.mark.parametrize(("count", "size", "present"), [(2, 9, 2), (4, 50, 4), (12, 300, 12), (6, 25, 3), (30, 20, 30)])
def test_metrics_equal_those_of_scikit_learn(count: int, size: int, present: int) -> None:
    objective, logits, labels = case(count, size, seed=count, present=present)
    truth, predicted = labels.numpy(), logits.argmax(1).numpy()
    found = objective.metrics(logits, {"label": labels})
    probabilities = torch.softmax(logits.double(), 1).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of predicted classes that do not occur
        expected = {
            "loss": oracle.log_loss(truth, probabilities, labels=range(count)),
            "accuracy": oracle.accuracy_score(truth, predicted),
            "balanced_accuracy": oracle.balanced_accuracy_score(truth, predicted),
            "macro_f1": oracle.f1_score(truth, predicted, average="macro"),
        }
    if count > 10:
        expected["top5_accuracy"] = oracle.top_k_accuracy_score(truth, logits.numpy(), k=5, labels=range(count))
    assert found == pytest.approx(expected, abs=1e-9)


def test_metrics_of_a_hand_worked_case() -> None:
    # Truth 0 0 0 1, said 0 0 1 1: recalls 2/3 and 1; F1 of class 0 is 4/5, of class 1 is 2/3; class 2 is out of play.
    said = torch.tensor([0, 0, 1, 1])
    found = Classes("label", names(3)).metrics(F.one_hot(said, 3) * 1000.0, {"label": torch.tensor([0, 0, 0, 1])})
    assert found["accuracy"] == pytest.approx(3 / 4)
    assert found["balanced_accuracy"] == pytest.approx(5 / 6)
    assert found["macro_f1"] == pytest.approx(11 / 15)
    assert found["loss"] == pytest.approx(250)
    assert "top5_accuracy" not in found


def test_top_five_is_told_beyond_ten_classes_only() -> None:
    for count, told in ((10, False), (11, True)):
        objective, logits, labels = case(count, 20, seed=0)
        assert ("top5_accuracy" in objective.metrics(logits, {"label": labels})) == told


def test_loss_of_hard_targets_equals_cross_entropy() -> None:
    objective, logits, labels = case(5, 40, seed=1)
    found = objective.loss(logits, objective.encode({"label": labels}))
    assert found.shape == (40,)
    torch.testing.assert_close(found, F.cross_entropy(logits, labels, reduction="none"))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("amount", [0.0, 0.1, 0.9])
def test_smoothed_loss_and_its_gradient_equal_those_of_torch(amount: float, weighted: bool) -> None:
    objective, logits, labels = case(7, 30, seed=2)
    weight = torch.rand(7, generator=torch.Generator().manual_seed(3)) + 0.1 if weighted else None
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    smoothed = objective.smooth(objective.encode({"label": labels}), amount)
    found = objective.loss(ours, smoothed, None if weight is None else {"label": weight})
    expected = F.cross_entropy(theirs, labels, weight=weight, label_smoothing=amount, reduction="none")
    torch.testing.assert_close(found, expected)
    (one,), (other,) = torch.autograd.grad(found.sum(), ours), torch.autograd.grad(expected.sum(), theirs)
    torch.testing.assert_close(one, other)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.integers(2, 8), st.integers(0, 10**6))
def test_loss_of_blended_targets_is_the_blend_of_the_losses(share: float, count: int, seed: int) -> None:
    objective, logits, labels = case(count, 6, seed)
    one, other = objective.encode({"label": labels}), objective.encode({"label": labels.flip(0)})
    blended = {"label": share * one["label"] + (1 - share) * other["label"]}
    expected = share * objective.loss(logits, one) + (1 - share) * objective.loss(logits, other)
    torch.testing.assert_close(objective.loss(logits, blended), expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.floats(0, 0.99), st.integers(0, 10**6))
def test_encoded_rows_are_distributions_with_the_class_on_top(count: int, amount: float, seed: int) -> None:
    objective, _, labels = case(count, 10, seed)
    rows = objective.smooth(objective.encode({"label": labels}), amount)["label"]
    assert rows.dtype == torch.float32
    torch.testing.assert_close(rows.sum(1), torch.ones(10))
    assert torch.equal(rows.argmax(1), labels)


def test_loss_of_half_precision_outputs_is_computed_in_full() -> None:
    objective, logits, labels = case(5, 40, seed=4)
    encoded = objective.encode({"label": labels})
    found = objective.loss(logits.bfloat16(), encoded)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, objective.loss(logits.bfloat16().float(), encoded))


def test_tally_counts_the_right_ones_also_against_soft_targets() -> None:
    objective, logits, labels = case(5, 200, seed=5)
    encoded = objective.smooth(objective.encode({"label": labels}), 0.2)
    expected = int(np.sum(logits.argmax(1).numpy() == labels.numpy()))
    assert objective.tally(logits, encoded)["accuracy"].item() == expected


def test_outputs_become_probabilities_and_classes() -> None:
    objective, logits, _ = case(5, 8, seed=6)
    probabilities = objective.probabilities(logits)["label"]
    torch.testing.assert_close(probabilities.sum(1), torch.ones(8))
    assert torch.equal(objective.decode(logits)["label"], probabilities.argmax(1))
    assert torch.equal(objective.split(logits)["label"], logits)
    torch.testing.assert_close(objective.probabilities(1e4 * torch.eye(5))["label"], torch.eye(5))


def test_width_and_direction_of_metrics() -> None:
    objective = Classes("label", names(3))
    assert (objective.outputs, dict(objective.heads), objective.soft, objective.select) == (
        3,
        {"label": 3},
        True,
        "accuracy",
    )
    assert {m: objective.better(m) for m in ("accuracy", "macro_f1", "loss", "mean_error")} == {
        "accuracy": "higher",
        "macro_f1": "higher",
        "loss": "lower",
        "mean_error": "lower",
    }


def test_every_metric_is_a_plain_finite_number() -> None:
    objective, logits, labels = case(11, 30, seed=7)
    for value in objective.metrics(logits, {"label": labels}).values():
        assert type(value) is float
        assert np.isfinite(value)


def test_objective_of_one_column_needs_no_naming() -> None:
    objective = objectives.build_objective("classes", {"label": ("cat", "dog"), "weight": None})
    assert objective.spec == "classes(column=label)"
    assert dict(objective.heads) == {"label": 2}
