"""Regularisers: penalties on kernels, biases and activities, to be added to the loss.

As in Keras, a penalty is ``l1 * sum(|x|) + l2 * sum(x²)``, the activity's divided by the number of pictures.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Penalty:
    """How strongly the numbers of one tensor are drawn towards zero."""

    l1: float = 0.0
    l2: float = 0.0

    def of(self, tensor: Tensor) -> Tensor:
        """The penalty, a number in float32; zero weights cost nothing to leave out."""
        total = torch.zeros((), device=tensor.device)
        if self.l1:
            total = total + self.l1 * tensor.abs().sum(dtype=torch.float32)
        if self.l2:
            total = total + self.l2 * tensor.float().square().sum()
        return total


class ActivityPenalty(nn.Module):
    """Passes activities on unchanged, and while training keeps the penalty on the last ones in ``value``."""

    def __init__(self, penalty: Penalty) -> None:
        super().__init__()
        self.penalty = penalty
        self.value: Tensor | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Its input."""
        self.value = self.penalty.of(input) / len(input) if self.training else None
        return input

    def __getstate__(self) -> dict[str, Any]:
        """What a copy takes along: not the value, which hangs in the graph of a batch."""
        return {**vars(self), "value": None}

    def extra_repr(self) -> str:
        """The strengths, for printing."""
        return f"l1={self.penalty.l1}, l2={self.penalty.l2}"


def mark(module: nn.Conv2d | nn.Linear, penalty: Penalty, targets: tuple[str, ...]) -> None:
    """Asks for a penalty on the ``kernel``, the ``bias`` or both of a layer."""
    if penalty.l1 or penalty.l2:
        module.penalties = {name: penalty for name in ("kernel", "bias") if name in targets}  # type: ignore[assignment]


def penalty(network: nn.Module) -> Tensor | None:
    """The sum of all penalties that the network's layers ask for, to be added to the mean loss; None without any.

    Those on activities are of the last forward pass in training mode, and part of its graph.
    """
    total: Tensor | None = None
    for module in network.modules():
        for value in _values(module):
            total = value if total is None else total + value
    return total


def _values(module: nn.Module) -> list[Tensor]:
    if isinstance(module, ActivityPenalty):
        return [] if module.value is None else [module.value]
    asked: dict[str, Penalty] = getattr(module, "penalties", {})
    tensors = {"kernel": getattr(module, "weight", None), "bias": getattr(module, "bias", None)}
    return [asked[name].of(tensor) for name, tensor in tensors.items() if name in asked and tensor is not None]
