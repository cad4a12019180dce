"""The difference-of-logits ratio, by hand, and what it is with few classes."""

import pytest
import torch
from torch import Tensor

from cnnlab.attacks.losses import logit_ratio


def row(*logits: float) -> Tensor:
    return torch.tensor([logits], dtype=torch.float64)


def label(number: int) -> Tensor:
    return torch.tensor([number])


def test_the_ratio_worked_by_hand() -> None:
    assert logit_ratio(row(3, 1, 0), label(0)).item() == pytest.approx(-(3 - 1) / (3 - 0))
    assert logit_ratio(row(3, 1, 0), label(1)).item() == pytest.approx(-(1 - 3) / (3 - 0))
    assert logit_ratio(row(4, 2, 1, 0, -5), label(0), label(3)).item() == pytest.approx(-4 / (4 - 0.5))


def test_with_three_classes_and_a_target_the_mean_of_the_lower_two_is_taken() -> None:
    assert logit_ratio(row(3, 1, 0), label(0), label(2)).item() == pytest.approx(-3 / (3 - 0.5))


def test_with_two_classes_it_is_the_margin() -> None:
    assert logit_ratio(row(3, 1), label(0)).item() == -2
    assert logit_ratio(row(3, 1), label(0), label(1)).item() == -2


@pytest.mark.parametrize("count", [3, 4, 10])
@pytest.mark.parametrize("is_targeted", [False, True])
def test_neither_a_shift_nor_a_scale_of_the_logits_changes_it(count: int, is_targeted: bool) -> None:
    logits = torch.randn(50, count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(50) % count
    targets = (labels + 1) % count if is_targeted else None
    torch.testing.assert_close(logit_ratio(7 * logits + 3, labels, targets), logit_ratio(logits, labels, targets))


@pytest.mark.parametrize("count", [2, 3, 4, 10])
def test_whatever_the_target_the_ratio_has_a_gradient_that_leads_to_it(count: int) -> None:
    for target in range(1, count):
        logits = torch.arange(count, 0, -1, dtype=torch.float64)[None].requires_grad_(True)
        value = logit_ratio(logits, label(0), label(target))
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        assert gradient.abs().max() > 1e-3 and gradient[0, target] > 0
        assert logit_ratio(logits + 0.1 * gradient, label(0), label(target)).item() > value.item()


@pytest.mark.parametrize("count", [2, 3, 10])
def test_it_is_over_0_just_where_the_model_is_fooled(count: int) -> None:
    logits = torch.randn(200, count, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(200) % count
    assert ((logit_ratio(logits, labels) > 0) == (logits.argmax(1) != labels)).all()
