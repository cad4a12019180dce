"""A logical batch divided among devices: who computes which pictures, and layers that see the whole of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.models.cutting import RANDOM_LAYERS
from cnnlab.training.several_devices.batch_norm import LogicalBatchNorm

_RANDOM_NAMES = {"DropPath", "StochasticDepth", "DropBlock2d", "DropBlock3d"}
"""Layers of timm and torchvision that draw for each picture, as their classes are called."""


@dataclass(frozen=True)
class Division:
    """How many pictures of a logical batch each device computes: as alike as can be, the first ones more.

    A batch of fewer pictures than there are devices is computed whole by each of them: every slice has some, and
    what is taken over all is the same.

    :param samples: of the logical batch.
    """

    samples: int
    devices: int

    @property
    def is_repeated(self) -> bool:
        """Whether every device computes all of it."""
        return self.samples < self.devices

    @property
    def counts(self) -> tuple[int, ...]:
        """Pictures of each device, by its rank."""
        if self.is_repeated:
            return (self.samples,) * self.devices
        least, more = divmod(self.samples, self.devices)
        return tuple(least + (rank < more) for rank in range(self.devices))

    def part(self, rank: int) -> slice:
        """The places of a device's pictures in the logical batch."""
        start = 0 if self.is_repeated else sum(self.counts[:rank])
        return slice(start, start + self.counts[rank])


@contextmanager
def on_slice(
    norms: Sequence[nn.Module], random: Sequence[nn.Module], division: Division, rank: int, channel: Any
) -> Iterator[None]:
    """A block in which layers that normalise and layers that draw do so for the whole logical batch.

    :param norms: those whose statistics are to be of all slices; ``random`` those that draw for each picture.
    """
    part = division.part(rank)
    together = LogicalBatchNorm(division.counts, channel)
    replaced: list[nn.Module] = []
    try:
        if not division.is_repeated:
            for module in norms:
                vars(module)["forward"] = partial(_normalised, module, together)
                replaced.append(module)
            for module in random:
                vars(module)["forward"] = partial(_drawn, module, division.samples, part)
                replaced.append(module)
        yield
    finally:
        for module in replaced:
            del vars(module)["forward"]


def random_layers(network: nn.Module) -> list[nn.Module]:
    """The layers of a network that draw for each picture of a batch."""
    return [
        module
        for module in network.modules()
        if isinstance(module, RANDOM_LAYERS) or type(module).__name__ in _RANDOM_NAMES
    ]


def _normalised(module: nn.Module, together: LogicalBatchNorm, *inputs: Any) -> Any:
    forward: Callable[..., Any] = type(module).forward
    if not module.training:
        return forward(module, *inputs)
    with together:
        return forward(module, *inputs)


def _drawn(module: nn.Module, count: int, part: slice, input: Tensor, *more: Any) -> Any:
    """What a layer that treats each picture by itself gives, drawing as for all ``count`` of which these are some."""
    forward: Callable[..., Any] = type(module).forward
    if not module.training:
        return forward(module, input, *more)
    # Laid out as the whole would be, for some draw in the order of memory.
    strides = (prod(input.shape[1:]), *input.stride()[1:])
    whole = torch.empty_strided((count, *input.shape[1:]), strides, dtype=input.dtype, device=input.device).zero_()
    whole[part] = input
    return forward(module, whole, *more)[part]
