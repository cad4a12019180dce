"""Random numbers of attacks: each picture has its own, whatever else is in the batch."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from cnnlab.core import seeds


class Draws(Protocol):
    """Random numbers for some pictures, a tensor of a shape for each; :class:`cnnlab.core.seeds.SampleDraws` too."""

    def uniform(self, *shape: int) -> Tensor:
        """Numbers from [0, 1)."""
        ...

    def normal(self, *shape: int) -> Tensor:
        """Numbers of mean 0 and deviation 1."""
        ...

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers from 0 to below ``high``."""
        ...

    def take(self, rows: Tensor) -> "Draws":
        """Those of some of the pictures."""
        ...


class PictureDraws:
    """What is drawn for a picture depends on the seed, on which picture it is and on how often was drawn for it before.

    :param pictures: a number for each, such as its place in its split.
    :param device: where the numbers are wanted; they are drawn on the processor.
    """

    def __init__(self, seed: int, pictures: Sequence[int], device: torch.device | str = "cpu") -> None:
        self._generators = [seeds.generator(seed, "attack", picture) for picture in pictures]
        self._device = device

    def uniform(self, *shape: int) -> Tensor:
        """Numbers from [0, 1)."""
        return self._stacked([torch.rand(shape, generator=own) for own in self._generators], shape)

    def normal(self, *shape: int) -> Tensor:
        """Numbers of mean 0 and deviation 1."""
        return self._stacked([torch.randn(shape, generator=own) for own in self._generators], shape)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers from 0 to below ``high``."""
        return self._stacked([torch.randint(high, shape, generator=own) for own in self._generators], shape)

    def take(self, rows: Tensor) -> "PictureDraws":
        """Those of some of the pictures, which go on from where they are."""
        taken = object.__new__(PictureDraws)
        taken._generators = [self._generators[row] for row in rows.tolist()]
        taken._device = self._device
        return taken

    def _stacked(self, each: list[Tensor], shape: Sequence[int]) -> Tensor:
        return (torch.stack(each) if each else torch.empty(0, *shape)).to(self._device)
