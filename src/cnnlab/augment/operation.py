"""What an augmentation is: draw() makes all random choices as data, apply() uses them and nothing else.

The families, each with one method or two for an operation to write:

=========================== ====================== ===============================================================
family                      writes                 how it runs
=========================== ====================== ===============================================================
:class:`GeometricOperation` ``matrix``             neighbours are multiplied into one matrix, resampled once
:class:`ColourOperation`    ``matrix``             neighbours are multiplied into one matrix, applied in one pass
:class:`PixelOperation`     ``draw``, ``apply``    on its own, on the chosen pictures only
:class:`MixingOperation`    ``draw``, ``apply``    on its own, on pictures and targets
=========================== ====================== ===============================================================
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Generator, Tensor

from cnnlab.augment.padding import Fill
from cnnlab.core.arguments import Fraction

Shape: TypeAlias = tuple[int, int, int]
SoftTargets: TypeAlias = dict[str, Tensor]
"""Target columns by name, N×K each: a share for each class, or numbers, which can be blended."""
Parameters: TypeAlias = dict[str, Any]
"""What was drawn, by name: tensors, which travel to the pictures' device, and whole numbers, which seed noise there."""


@dataclass(frozen=True)
class Info:
    """What a draw may depend on.

    :param count: pictures in the batch.
    :param shape: channels, height and width of each.
    :param epoch: how many epochs went before, over all phases.
    :param ids: int64, the index of each picture in the train set.
    """

    count: int
    shape: Shape
    epoch: int
    ids: Tensor

    def of(self, chosen: Tensor | None) -> "Info":
        """The same for some pictures of the batch, by position; None is all of them."""
        return self if chosen is None else Info(len(chosen), self.shape, self.epoch, self.ids[chosen])


@dataclass(frozen=True)
class Operation:
    """One step of a pipeline, as its user wrote it.

    :param p: the probability with which each picture, on its own, undergoes it.
    """

    p: Fraction = field(default=1.0, kw_only=True)

    needs_colour: ClassVar[bool] = False
    """Whether grey pictures are refused."""
    mixes: ClassVar[bool] = False
    """Whether it blends targets, which the objective must be able to learn from."""
    draws_p: ClassVar[bool] = False
    """Whether the operation sees to ``p`` itself, instead of being given the chosen pictures only."""

    def validate(self) -> None:
        """Refuses arguments that are each in range and do not go together.

        :raises Misfit: naming the argument.
        """

    def refusal(self, shape: Shape) -> str | None:
        """Why pictures of this shape cannot be augmented so, or None."""
        return None

    def choose(self, generator: Generator, count: int) -> Tensor | None:
        """Positions of the pictures that undergo it, or None for all of them."""
        if self.draws_p or self.p == 1:
            return None
        return (torch.rand(count, generator=generator) < self.p).nonzero().squeeze(1)


class MatrixOperation(Operation, ABC):
    """An operation that is a matrix, so that a run of them is a product."""

    @abstractmethod
    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws one matrix for each of ``info.count`` pictures: float64, of the size that the family has."""

    def matrices(self, generator: Generator, info: Info) -> Tensor:
        """One matrix for each picture of the batch, the identity for those not chosen."""
        chosen = self.choose(generator, info.count)
        drawn = self.matrix(generator, info.of(chosen))
        return drawn if chosen is None else _spread(drawn, chosen, info.count)


class GeometricOperation(MatrixOperation):
    """An operation that moves pixels about.

    Its matrices, count×3×3, take places of the result to places of the source. Coordinates are in pixels from the
    centre of the picture, x to the right and y down.
    """

    moves_pixels: ClassVar[bool] = False
    """Whether every pixel of the result is a pixel of the source, so that nothing is interpolated."""
    is_projective: ClassVar[bool] = False
    """Whether parallel lines may come to meet, which takes a division for each pixel."""

    @property
    def filling(self) -> Fill | None:
        """How places outside the source are filled; None where the operation has no need to say.

        ``wrap`` is for operations that only move pixels: there is no interpolation across the edge.
        """
        return None


class ColourOperation(MatrixOperation):
    """An operation that is linear in the colour of each pixel and in the mean luminance of the picture.

    Its matrices, count×(C+2)×(C+2), act on (channels…, mean luminance, 1), so that contrast too is known before any
    pixel is seen.
    """

    blends_channels: ClassVar[bool] = False
    """Whether a channel of the result depends on several of the source."""
    uses_mean: ClassVar[bool] = False
    """Whether the mean luminance of the picture matters."""


class PixelOperation(Operation, ABC):
    """An operation that computes new pixels in its own way."""

    keeps_bytes: ClassVar[bool] = False
    """Whether uint8 pictures are taken and given back as such; otherwise floats in [0, 1] are."""

    @abstractmethod
    def draw(self, generator: Generator, info: Info) -> Parameters:
        """What is random, for ``info.count`` pictures."""

    @abstractmethod
    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """The pictures changed, N×C×H×W; what leaves [0, 1] is clipped. Floats may be written to, bytes not."""


class MixingOperation(Operation, ABC):
    """An operation that makes a picture, and its targets, of several of the batch."""

    mixes = True
    draws_p = True

    @abstractmethod
    def draw(self, generator: Generator, info: Info) -> Parameters:
        """What is random, for the whole batch."""

    @abstractmethod
    def apply(self, images: Tensor, targets: SoftTargets, parameters: Parameters) -> tuple[Tensor, SoftTargets]:
        """The mixed pictures and targets."""


def _spread(drawn: Tensor, chosen: Tensor, count: int) -> Tensor:
    size = drawn.shape[-1]
    return torch.eye(size, dtype=drawn.dtype).repeat(count, 1, 1).index_copy_(0, chosen, drawn)
