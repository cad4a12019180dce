"""How operations run: neighbours of a family as one stage, anything else as a stage of its own."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

import torch
from torch import Generator, Tensor

from cnnlab.augment import matrices
from cnnlab.augment.colours import recolour_
from cnnlab.augment.operation import (
    ColourOperation,
    GeometricOperation,
    Info,
    MixingOperation,
    Operation,
    Parameters,
    PixelOperation,
    SoftTargets,
)
from cnnlab.augment.padding import REFLECT, WRAP, Fill
from cnnlab.augment.pasting import order_after, put_back
from cnnlab.augment.resampling import as_float, move_pixels, resample

T = TypeVar("T", bound=Operation)


@dataclass(frozen=True)
class Stage(ABC, Generic[T]):
    """Operations that pass over the pictures together."""

    operations: tuple[T, ...]

    @abstractmethod
    def draw(self, generator: Generator, info: Info) -> Parameters:
        """All that is random in it."""

    @abstractmethod
    def apply(self, images: Tensor, targets: SoftTargets, parameters: Parameters) -> tuple[Tensor, SoftTargets]:
        """The pictures and targets after it. Floats are the pipeline's own and may be written to, bytes are not."""

    def takes(self, operation: Operation) -> bool:
        """Whether the operation can be done in the same pass, after those that are here."""
        return False


class GeometricRun(Stage[GeometricOperation]):
    """Matrices multiplied, then one move of the pixels: by indexing where it only moves them, else interpolated."""

    @cached_property
    def fill(self) -> Fill | None:
        """The one fill of all operations that need one."""
        return next((fill for operation in self.operations if (fill := operation.filling)), None)

    @property
    def only_moves(self) -> bool:
        """Whether every pixel of the result is one of the source, so that nothing is interpolated."""
        return all(operation.moves_pixels for operation in self.operations)

    def takes(self, operation: Operation) -> bool:
        """Any geometric operation, unless it wants another fill or one of both interpolates where the other wraps."""
        if not isinstance(operation, GeometricOperation):
            return False
        joined = GeometricRun((*self.operations, operation))
        wanted = {fill for each in joined.operations if (fill := each.filling) is not None}
        return len(wanted) <= 1 and (WRAP not in wanted or joined.only_moves)

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """One matrix for each picture, N×2×3, or N×3×3 with perspective in it."""
        product = self.operations[0].matrices(generator, info)
        for operation in self.operations[1:]:
            product = matrices.product(product, operation.matrices(generator, info))
        is_projective = any(operation.is_projective for operation in self.operations)
        return {"matrix": product.float() if is_projective else product[:, :2].float()}

    def apply(self, images: Tensor, targets: SoftTargets, parameters: Parameters) -> tuple[Tensor, SoftTargets]:
        """One pass over the pictures, whatever the number of operations."""
        see_through = move_pixels if self.only_moves else resample
        return see_through(images, parameters["matrix"], self.fill or REFLECT), targets


class ColourRun(Stage[ColourOperation]):
    """Matrices multiplied, then one pass over the pictures; values are clipped once, at its end."""

    @property
    def uses_mean(self) -> bool:
        """Whether the mean luminance of the picture matters."""
        return any(operation.uses_mean for operation in self.operations)

    def takes(self, operation: Operation) -> bool:
        """Any colour operation."""
        return isinstance(operation, ColourOperation)

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """One matrix for each picture, N×(C+2)×(C+2)."""
        product = self.operations[0].matrices(generator, info)
        for operation in self.operations[1:]:
            product = operation.matrices(generator, info) @ product
        return {"matrix": product.float()}

    def apply(self, images: Tensor, targets: SoftTargets, parameters: Parameters) -> tuple[Tensor, SoftTargets]:
        """One pass, and one more to measure the mean where an operation needs it."""
        blends_channels = any(operation.blends_channels for operation in self.operations)
        matrix = parameters["matrix"]
        return recolour_(as_float(images), matrix, blends_channels=blends_channels, uses_mean=self.uses_mean), targets


class PixelStage(Stage[PixelOperation]):
    """One operation, on the pictures chosen for it."""

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Who is chosen, and what the operation draws for them."""
        (operation,) = self.operations
        chosen = operation.choose(generator, info.count)
        drawn = {name: _single(value) for name, value in operation.draw(generator, info.of(chosen)).items()}
        if chosen is None:
            return drawn
        return {"chosen": chosen, "order": order_after(chosen, info.count), **drawn}

    def apply(self, images: Tensor, targets: SoftTargets, parameters: Parameters) -> tuple[Tensor, SoftTargets]:
        """Those chosen are taken out, changed and put back."""
        (operation,) = self.operations
        source = images if operation.keeps_bytes else as_float(images)
        if "chosen" not in parameters:
            return _in_range(operation.apply(source, parameters)), targets
        chosen = parameters["chosen"]
        if len(chosen) == 0:
            return source, targets
        changed = _in_range(operation.apply(source.index_select(0, chosen), parameters))
        return put_back(source, changed, chosen, parameters["order"]), targets


class MixingStage(Stage[MixingOperation]):
    """One operation that blends pictures of the batch with each other."""

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """What the operation draws."""
        return {name: _single(value) for name, value in self.operations[0].draw(generator, info).items()}

    def apply(self, images: Tensor, targets: SoftTargets, parameters: Parameters) -> tuple[Tensor, SoftTargets]:
        """What the operation makes of them."""
        return self.operations[0].apply(images, targets, parameters)


AnyStage: TypeAlias = Stage[Any]


def stages(operations: Iterable[Operation]) -> tuple[AnyStage, ...]:
    """The stages of a pipeline, in order.

    What is linear in the colour of each pixel can be done before or after an interpolation, so a geometric operation
    joins an earlier geometric run across a colour run, which follows both: ``rotate|brightness|shift`` is resampled
    once. The result is that of the operations as written where the colour run clips nothing. Where it does, values
    are clipped after the interpolation instead of before it, so pixels between a clipped one and others may differ.
    """
    made: list[AnyStage] = []
    for operation in operations:
        place = -2 if _joins_across(made, operation) else -1
        if made and made[place].takes(operation):
            made[place] = replace(made[place], operations=(*made[place].operations, operation))
        else:
            made.append(_alone(operation))
    return tuple(made)


def _joins_across(made: Sequence[AnyStage], operation: Operation) -> bool:
    """Whether a geometric operation may join the run before the colour run that comes last.

    Not across a mean, which would be that of the moved picture, nor with a colour to fill with, which would be changed.
    """
    if len(made) < 2 or not isinstance(made[-1], ColourRun) or made[-1].uses_mean:
        return False
    if not (isinstance(operation, GeometricOperation) and isinstance(made[-2], GeometricRun)):
        return False
    return made[-2].takes(operation) and (operation.filling is None or operation.filling.mode != "constant")


def _alone(operation: Operation) -> AnyStage:
    if isinstance(operation, GeometricOperation):
        return GeometricRun((operation,))
    if isinstance(operation, ColourOperation):
        return ColourRun((operation,))
    if isinstance(operation, MixingOperation):
        return MixingStage((operation,))
    assert isinstance(operation, PixelOperation)
    return PixelStage((operation,))


def _single(value: Any) -> Any:
    """Numbers in the precision of the pictures."""
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.float64 else value


def _in_range(images: Tensor) -> Tensor:
    return images.clamp_(0, 1) if images.is_floating_point() else images
