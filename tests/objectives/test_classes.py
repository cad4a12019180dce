"""The objective for classes, by hand and by its properties; against torch and scikit-learn, see tests/parity."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cnnlab import objectives
from cnnlab.objectives import Classes


def names(count: int) -> tuple[str, ...]:
    return tuple(f"class{i}" for i in range(count))


def case(count: int, size: int, seed: int) -> tuple[Classes, Tensor, Tensor]:
    """An objective, random logits and labels."""
    source = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, count, generator=source)
    labels = torch.randint(count, (size,), generator=source)
    return Classes("label", names(count)), logits, labels


def test_metrics_of_a_hand_worked_case() -> None:
    # Truth 0 0 0 1, said 0 0 1 1: recalls 2/3 and 1; F1 of class 0 is 4/5, of class 1 is 2/3; class 2 is out of play.
    said = torch.tensor([0, 0, 1, 1])
    scores = Classes("label", names(3)).metrics(F.one_hot(said, 3) * 1000.0, {"label": torch.tensor([0, 0, 0, 1])})
    assert scores["accuracy"] == pytest.approx(3 / 4)
    assert scores["balanced_accuracy"] == pytest.approx(5 / 6)
    assert scores["macro_f1"] == pytest.approx(11 / 15)
    assert scores["loss"] == pytest.approx(250)
    assert "top5_accuracy" not in scores


def test_top_five_is_told_beyond_ten_classes_only() -> None:
    for count, told in ((10, False), (11, True)):
        objective, logits, labels = case(count, 20, seed=0)
        assert ("top5_accuracy" in objective.metrics(logits, {"label": labels})) == told


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.integers(2, 8), st.integers(0, 10**6))
def test_loss_of_blended_targets_is_the_blend_of_the_losses(share: float, count: int, seed: int) -> None:
    objective, logits, labels = case(count, 6, seed)
    first, second = objective.encode({"label": labels}), objective.encode({"label": labels.flip(0)})
    blended = {"label": share * first["label"] + (1 - share) * second["label"]}
    expected = share * objective.loss(logits, first) + (1 - share) * objective.loss(logits, second)
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
    loss = objective.loss(logits.bfloat16(), encoded)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, objective.loss(logits.bfloat16().float(), encoded))


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
