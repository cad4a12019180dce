"""A moving average of the weights."""

import copy

import torch
from torch import nn


class MovingAverage:
    """An exponential moving average of a module's weights and of its floating-point buffers.

    After each step ``average = decay * average + (1 - decay) * weights``; during the first steps a smaller decay,
    ``(1 + step) / (10 + step)``, keeps the random start from lingering (as in TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(module).requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Takes in the weights after step number ``step``, counted from 1."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        mine, theirs = list(_floating(self.module)), list(_floating(module))
        torch._foreach_lerp_(mine, theirs, weight)
        for own, other in zip(self.module.buffers(), module.buffers(), strict=True):
            if not own.is_floating_point():
                own.copy_(other)


def _floating(module: nn.Module) -> list[torch.Tensor]:
    buffers = [b for b in module.buffers() if b.is_floating_point()]
    return [p.detach() for p in module.parameters()] + buffers
