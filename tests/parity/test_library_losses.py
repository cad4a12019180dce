"""Losses, and class weights, against torch's and scikit-learn's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor

from cnnlab import objectives
from cnnlab.data import TensorImages
from cnnlab.objectives import Columns, Objective
from cnnlab.training.class_balance import class_weights

KINDS: Columns = {"kind": tuple("abcdefg")}
SIDE: Columns = {"side": ("left", "right")}
SIZE: Columns = {"size": None}


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labels(count: int, classes: int) -> Tensor:
    return torch.randint(classes, (count,), generator=torch.Generator().manual_seed(2))


def test_cross_entropy_is_torchs() -> None:
    objective, logits, kinds = objectives.build_objective("classes", KINDS), drawn(1, 40, 7), labels(40, 7)
    actual = objective.loss(logits, objective.encode({"kind": kinds}))
    torch.testing.assert_close(actual, F.cross_entropy(logits, kinds, reduction="none"))


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("amount", [0.0, 0.1, 0.9])
def test_smoothed_cross_entropy_and_its_gradient_are_torchs(amount: float, is_weighted: bool) -> None:
    objective, logits, kinds = objectives.build_objective("classes", KINDS), drawn(1, 30, 7), labels(30, 7)
    weight = torch.rand(7, generator=torch.Generator().manual_seed(3)) + 0.1 if is_weighted else None
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    smoothed = objective.smooth(objective.encode({"kind": kinds}), amount)
    actual = objective.loss(ours, smoothed, None if weight is None else {"kind": weight})
    expected = F.cross_entropy(theirs, kinds, weight=weight, label_smoothing=amount, reduction="none")
    torch.testing.assert_close(actual, expected)
    gradients = (
        torch.autograd.grad(losses.sum(), outputs)[0] for losses, outputs in ((actual, ours), (expected, theirs))
    )
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("weight", [None, 3.0])
def test_binary_cross_entropy_is_torchs(weight: float | None) -> None:
    objective, logits, sides = objectives.build_objective("binary", SIDE), 4 * drawn(1, 50, 1), labels(50, 2)
    share = torch.linspace(0, 1, 50)[:, None]
    weights = None if weight is None else {"side": torch.tensor([1.0, weight])}
    theirs = None if weight is None else torch.tensor(weight)
    for target in (objective.encode({"side": sides})["side"], share):
        expected = F.binary_cross_entropy_with_logits(logits, target, pos_weight=theirs, reduction="none")[:, 0]
        torch.testing.assert_close(objective.loss(logits, {"side": target}, weights), expected)


@pytest.mark.parametrize(
    ("loss", "theirs"),
    [
        ("mse", F.mse_loss),
        ("mae", F.l1_loss),
        ("huber", lambda *pair, reduction: F.huber_loss(*pair, reduction=reduction, delta=0.1)),
    ],
)
def test_losses_of_numbers_are_torchs_in_the_scale_of_minus_1_to_1(loss: str, theirs) -> None:
    objective = objectives.build_objective(f"scalar(range=[0, 10], loss={loss})", SIZE)
    sizes, outputs = 5 + 5 * drawn(0, 60), drawn(1, 60, 1)
    expected = theirs(outputs[:, 0], (sizes - 5) / 5, reduction="none")
    torch.testing.assert_close(objective.loss(outputs, objective.encode({"size": sizes})), expected)


def test_loss_of_bins_is_torchs_cross_entropy_of_the_bin() -> None:
    objective = objectives.build_objective("bins(5, [0, 10], column=size)", SIZE)
    sizes, logits = torch.linspace(0.1, 9.9, 40), drawn(1, 40, 5)
    actual = objective.loss(logits, objective.encode({"size": sizes}))
    torch.testing.assert_close(actual, F.cross_entropy(logits, (sizes / 2).long(), reduction="none"))


def test_loss_of_a_number_around_a_circle_is_torchs_squared_error_of_sine_and_cosine() -> None:
    objective = objectives.build_objective("circular(360, column=angle)", {"angle": None})
    angles, outputs = torch.linspace(0, 350, 36), drawn(1, 36, 2)
    turned = torch.deg2rad(angles)
    expected = F.mse_loss(outputs, torch.stack([turned.sin(), turned.cos()], dim=1), reduction="none").mean(1)
    torch.testing.assert_close(objective.loss(outputs, objective.encode({"angle": angles})), expected)


def test_losses_of_heads_are_added_by_their_weights() -> None:
    columns = {**KINDS, **SIZE}
    parts = {"kind": "classes(column=kind)", "size": "scalar(range=[-1, 1], column=size)"}
    objective = objectives.build_objective(
        f"multi-head(kind={parts['kind']}, size={parts['size']}, weights=[2, 0.5])", columns
    )
    targets = {"kind": labels(20, 7), "size": drawn(0, 20)}
    outputs = drawn(1, 20, 8)
    expected = 2 * F.cross_entropy(outputs[:, :7], targets["kind"], reduction="none")
    expected += 0.5 * F.mse_loss(outputs[:, 7], targets["size"], reduction="none")
    torch.testing.assert_close(objective.loss(outputs, objective.encode(targets)), expected)


def test_class_weights_are_those_of_scikit_learn() -> None:
    kinds = [0] * 80 + [1] * 4 + [3] * 16
    names = ("often", "seldom", "never", "now and then")
    objective: Objective = objectives.build_objective("classes", {"kind": names})
    images = TensorImages(torch.zeros(100, 1, 2, 2, dtype=torch.uint8), {"kind": torch.tensor(kinds)}, {"kind": names})
    actual = class_weights(images, objective, torch.device("cpu"))["kind"]
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=np.array(kinds))
    assert actual[[0, 1, 3]].tolist() == pytest.approx(expected.tolist())
