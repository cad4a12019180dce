"""Random numbers for a batch, from an explicit generator; those between numbers are float64."""

import math
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import torch
from torch import Generator, Tensor

from cnnlab.core.arguments import Range

Factor: TypeAlias = Annotated[float, Range(0, 10, open_low=True)]
Spread: TypeAlias = Annotated[float, Range(0, 1, open_high=True)] | tuple[Factor, Factor]
"""A range of factors: a number a is from 1 - a to 1 + a, a list [low, high] is itself."""


def uniform(generator: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Evenly from ``low`` to ``high``."""
    return torch.empty(shape, dtype=torch.float64).uniform_(low, high, generator=generator)


def symmetric(generator: Generator, most: float, *shape: int) -> Tensor:
    """Evenly from -``most`` to ``most``."""
    return uniform(generator, -most, most, *shape)


def factors(generator: Generator, spread: float | tuple[float, float], *shape: int) -> Tensor:
    """Factors, evenly over a :data:`Spread`."""
    low, high = spread if isinstance(spread, tuple) else (1 - spread, 1 + spread)
    return uniform(generator, low, high, *shape)


def signs(generator: Generator, p: float, count: int) -> Tensor:
    """-1 with probability ``p``, else 1."""
    return (torch.rand(count, generator=generator) < p).double().mul_(-2).add_(1)


def integers(generator: Generator, low: int, high: int, *shape: int) -> Tensor:
    """int64, evenly from ``low`` to ``high``, both included."""
    return torch.randint(low, high + 1, shape, generator=generator)


def noise_seed(generator: Generator) -> int:
    """A seed for noise that is made where the pictures are: one number travels, not one for each pixel."""
    return int(torch.randint(0, 2**62, (), generator=generator))


def noise_generator(seed: int, device: torch.device) -> Generator:
    """The generator for a seed of :func:`noise_seed`."""
    return Generator(device).manual_seed(seed)


def noise_bytes(seed: int, shape: Sequence[int], device: torch.device) -> Tensor:
    """uint8 from 0 to 255, each as likely; eight come out of one draw."""
    count = math.prod(shape)
    words = torch.empty(-(-count // 8), dtype=torch.int64, device=device)
    words.random_(-(2**63), None, generator=noise_generator(seed, device))
    return words.view(torch.uint8)[:count].view(tuple(shape))
