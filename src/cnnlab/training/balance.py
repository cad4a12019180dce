"""Counterweights for classes that are unevenly frequent."""

import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.data import ImageSet
from cnnlab.objectives import Objective


def class_weights(images: ImageSet, objective: Objective, device: torch.device) -> dict[str, Tensor]:
    """For each head that tells classes apart a weight for each class, N / (K n): the rarer the heavier, one on average.

    As ``class_weight="balanced"`` of scikit-learn. Classes that do not occur weigh nothing.
    """
    weights = {}
    for head, (labels, width) in _labels(images, objective).items():
        counts = torch.bincount(labels, minlength=width).double()
        present = counts > 0
        balanced = counts.sum() / (present.sum() * counts.clamp(min=1))
        weights[head] = torch.where(present, balanced, 0.0).float().to(device)
    return weights


def sample_weights(images: ImageSet, objective: Objective) -> Tensor:
    """For each picture the chance to be drawn, so that every class is drawn as often."""
    if len(objective.heads) != 1:
        raise UsageError("balance=sampler needs an objective of one head; use balance=weights.")
    ((labels, width),) = _labels(images, objective).values()
    return 1.0 / torch.bincount(labels, minlength=width).double()[labels]


def _labels(images: ImageSet, objective: Objective) -> dict[str, tuple[Tensor, int]]:
    labels = objective.labels(images.targets)
    if not labels:
        raise UsageError(f"balance needs classes, and {', '.join(objective.predicts)} holds none. Leave balance out.")
    return labels
