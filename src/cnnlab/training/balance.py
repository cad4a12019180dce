"""Counterweights for classes that are unevenly frequent."""

import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.data import ImageSet
from cnnlab.objectives import Objective


def class_weights(images: ImageSet, objective: Objective, device: torch.device) -> dict[str, Tensor]:
    """For each head of classes a weight for each class, N / (K n): the rarer the heavier, one on average.

    As ``class_weight="balanced"`` of scikit-learn. Classes that do not occur weigh nothing.
    """
    weights = {}
    for head, width in objective.heads.items():
        counts = _counts(images, head, width)
        present = counts > 0
        balanced = counts.sum() / (present.sum() * counts.clamp(min=1))
        weights[head] = torch.where(present, balanced, 0.0).float().to(device)
    return weights


def sample_weights(images: ImageSet, objective: Objective) -> Tensor:
    """For each picture the chance to be drawn, so that every class is drawn as often."""
    if len(objective.heads) != 1:
        raise UsageError("balance=sampler needs an objective of one head; use balance=weights.")
    ((head, width),) = objective.heads.items()
    counts = _counts(images, head, width)
    return 1.0 / counts[images.targets[head]].double()


def _counts(images: ImageSet, head: str, width: int) -> Tensor:
    column = images.targets.get(head)
    if column is None or column.is_floating_point():
        raise UsageError(f"balance needs classes, and {head} holds none. Leave balance out.")
    return torch.bincount(column, minlength=width).double()
