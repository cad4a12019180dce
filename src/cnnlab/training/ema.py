"""A moving average of the weights."""

import copy
from collections.abc import Collection

import torch
from torch import Tensor, nn


class MovingAverage:
    """An exponential moving average of a module's weights and of its floating-point buffers.

    After each step ``average = decay * average + (1 - decay) * weights``; during the first steps a smaller decay,
    ``(1 + step) / (10 + step)``, keeps the random start from lingering (as in TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(module).requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module, step: int, still: Collection[str] = ()) -> None:
        """Takes in the weights after step number ``step``, counted from 1.

        :param still: names of weights and buffers that are frozen; their average stays as it is.
        """
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        mine, theirs = _floating(self.module, still), _floating(module, still)
        torch._foreach_lerp_(mine, theirs, weight)
        for own, other in zip(self.module.buffers(), module.buffers(), strict=True):
            if not own.is_floating_point():
                own.copy_(other)


def _floating(module: nn.Module, still: Collection[str]) -> list[Tensor]:
    buffers = [b for name, b in module.named_buffers() if b.is_floating_point() and name not in still]
    return [p.detach() for name, p in module.named_parameters() if name not in still] + buffers
