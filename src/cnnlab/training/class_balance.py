"""Counterweights for classes that are unevenly frequent."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.data import ImageSet
from cnnlab.objectives import Objective


@dataclass(frozen=True)
class ClassBalance:
    """What ``balance`` means for one training set.

    :param weights: for each head a weight for each class in the loss; None where losses count alike.
    :param draws: for each picture the chance to be drawn; None where each comes up once an epoch.
    """

    weights: dict[str, Tensor] | None = None
    draws: Tensor | None = None

    @classmethod
    def of(cls, balance: str, images: ImageSet, objective: Objective) -> "ClassBalance":
        """Of ``none``, ``weights`` or ``sampler``.

        :raises UsageError: when there are no classes to balance.
        """
        if balance == "weights":
            return cls(weights=class_weights(images, objective, torch.device("cpu")))
        return cls(draws=sample_weights(images, objective)) if balance == "sampler" else cls()

    def on(self, device: torch.device) -> dict[str, Tensor] | None:
        """The weights on the device that computes the loss."""
        return None if self.weights is None else {head: weights.to(device) for head, weights in self.weights.items()}


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
