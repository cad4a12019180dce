"""Operations that move pixels about. Each is drawn for each picture on its own."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Literal, TypeAlias

import torch
from torch import Generator, Tensor

from cnnlab.augment import matrices
from cnnlab.augment.catalogue import augmentations
from cnnlab.augment.errors import OperationError
from cnnlab.augment.operation import GeometricOperation, Info, Shape
from cnnlab.augment.padding import WRAP, Fill, FillSpec, checked, fills
from cnnlab.augment.sampling import Spread, factors, integers, signs, symmetric, uniform
from cnnlab.core.arguments import Fraction, Range

Degrees: TypeAlias = Annotated[float, Range(0, 180)]
Slant: TypeAlias = Annotated[float, Range(0, 80)]
Stretching: TypeAlias = Annotated[float, Range(0, 1, open_high=True)]
Area: TypeAlias = Annotated[float, Range(0, 1, open_low=True)]


@dataclass(frozen=True)
class Filled(GeometricOperation):
    """A geometric operation that may look outside the picture.

    :param fill: what is there: ``reflect``, ``edge`` or ``constant(value)``.
    """

    fill: FillSpec = field(default="reflect", kw_only=True)

    @cached_property
    def filling(self) -> Fill:
        """The rule that ``fill`` names."""
        return fills.bind(self.fill).build()

    def validate(self) -> None:
        """The fill must be one there is."""
        checked(self.fill)


@augmentations.register("flip")
@dataclass(frozen=True)
class Flip(GeometricOperation):
    """Mirrors the picture: left to right, or upside down, or each of the two with a draw of its own.

    Source: A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet classification with deep convolutional neural
    networks", 2012, section 4.1.
    """

    axis: Literal["horizontal", "vertical", "both"] = "horizontal"
    p: Fraction = field(default=0.5, kw_only=True)

    moves_pixels = True
    draws_p = True

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws each axis for itself."""
        x = signs(generator, self.p, info.count) if self.axis != "vertical" else 1
        y = signs(generator, self.p, info.count) if self.axis != "horizontal" else 1
        return matrices.mirroring(x, y, info.count)


@augmentations.register("alternating_flip")
@dataclass(frozen=True)
class AlternatingFlip(GeometricOperation):
    """Mirrors the picture left to right every other epoch, so any two epochs in a row show both sides of each.

    Which epoch a picture starts in is fixed by a hash of its id: half of them in the first, half in the second.

    Source: K. Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, section 3.6. There the first epoch
    is drawn; here nothing is.
    """

    moves_pixels = True

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws nothing: the epoch and the ids decide."""
        is_mirrored = (_parity(info.ids) + info.epoch) % 2
        return matrices.mirroring(1 - 2 * is_mirrored, 1, info.count)


@augmentations.register("quarter_turn")
@dataclass(frozen=True)
class QuarterTurn(GeometricOperation):
    """Turns a square picture by 0, 90, 180 or 270 degrees, each as likely.

    Source: S. Dieleman, K. Willett and J. Dambre, "Rotation-invariant convolutional neural networks for galaxy
    morphology prediction", 2015, section 5.3.
    """

    moves_pixels = True

    def refusal(self, shape: Shape) -> str | None:
        """Pictures must be square."""
        _, height, width = shape
        if height == width:
            return None
        return f"quarter_turn needs square pictures, and these are {height}×{width}; rotate(90) and flip(both) do not"

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws one of four."""
        return matrices.quarter_turns(integers(generator, 0, 3, info.count))


@augmentations.register("rotate")
@dataclass(frozen=True)
class Rotate(Filled):
    """Turns the picture about its centre by up to ``degrees`` either way, evenly.

    Source: P. Simard, D. Steinkraus and J. Platt, "Best practices for convolutional neural networks applied to
    visual document analysis", 2003, section 2.
    """

    degrees: Degrees = 30.0

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws the angle."""
        return matrices.rotation(symmetric(generator, self.degrees, info.count))


@augmentations.register("shift")
@dataclass(frozen=True)
class Shift(Filled):
    """Moves the picture by up to a fraction ``x`` of its width and ``y`` of its height either way, evenly.

    ``y`` is as large as ``x`` unless given. Places between pixels are reached; ``crop`` moves by whole ones.

    Source: P. Simard, D. Steinkraus and J. Platt, 2003, section 2.
    """

    x: Fraction = 0.1
    y: Fraction | None = None

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws one distance for each axis."""
        _, height, width = info.shape
        x = symmetric(generator, self.x * width, info.count)
        y = symmetric(generator, (self.x if self.y is None else self.y) * height, info.count)
        return matrices.translation(x, y)


@augmentations.register("shear")
@dataclass(frozen=True)
class Shear(Filled):
    """Slants the picture sideways by up to ``x`` degrees, and up or down by up to ``y`` degrees, either way, evenly.

    Source: P. Simard, D. Steinkraus and J. Platt, 2003, section 2.
    """

    x: Slant = 20.0
    y: Slant = 0.0

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws one angle for each axis that is slanted at all."""
        x = symmetric(generator, self.x, info.count)
        return matrices.shear(x, symmetric(generator, self.y, info.count) if self.y else None)


@augmentations.register("zoom")
@dataclass(frozen=True)
class Zoom(Filled):
    """Magnifies the picture about its centre, by one factor for both axes, evenly from ``amount``.

    An amount of 0.3 is factors from 0.7 (the picture shrinks) to 1.3; a list gives the factors, [0.5, 2].

    Source: K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image recognition",
    2015, section 3.1 (scale jittering).
    """

    amount: Spread = 0.3

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws one factor."""
        factor = factors(generator, self.amount, info.count)
        return matrices.scaling(factor, factor)


@augmentations.register("stretch")
@dataclass(frozen=True)
class Stretch(Filled):
    """Magnifies or shrinks each axis by a factor of its own, evenly from 1 - ``x`` to 1 + ``x``, likewise ``y``.

    ``y`` is as large as ``x`` unless given.

    Source: P. Simard, D. Steinkraus and J. Platt, 2003, section 2 (affine distortions).
    """

    x: Stretching = 0.2
    y: Stretching | None = None

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws one factor for each axis."""
        x = factors(generator, self.x, info.count)
        y = factors(generator, self.x if self.y is None else self.y, info.count)
        return matrices.scaling(x, y)


@augmentations.register("perspective")
@dataclass(frozen=True)
class Perspective(Filled):
    """Looks at the picture from aside: each corner moves inwards by up to ``distortion`` of half the size.

    Both coordinates of all four corners are drawn on their own, evenly. Above 0.6 a picture could fold over.

    Source: torchvision's RandomPerspective; here corners need not be at whole pixels.
    """

    distortion: Annotated[float, Range(0, 0.6)] = 0.3

    is_projective = True

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws the four corners."""
        _, height, width = info.shape
        half = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64)
        inwards = 1 - uniform(generator, 0, self.distortion, info.count, 4, 2)
        corners = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) * half * inwards
        return matrices.onto_quadrilateral(corners, width - 1, height - 1)

    def refusal(self, shape: Shape) -> str | None:
        """Pictures must have corners to move."""
        return "perspective needs pictures of at least 2×2 pixels" if min(shape[1:]) < 2 else None


@augmentations.register("crop")
@dataclass(frozen=True)
class Crop(Filled):
    """Pads the picture by ``padding`` pixels on every side and cuts its own size out again, anywhere, evenly.

    Source: K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition", 2016, section 4.2
    (which pads with zeros: ``fill=constant(0)``).
    """

    padding: Annotated[int, Range(1, 8192)] = 4

    moves_pixels = True

    def refusal(self, shape: Shape) -> str | None:
        """The padding must not be wider than the picture."""
        least = min(shape[1:])
        if self.padding <= least:
            return None
        return f"crop takes a padding of at most {least} on pictures of {shape[1]}×{shape[2]}; got {self.padding}"

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws one whole distance for each axis."""
        x, y = integers(generator, -self.padding, self.padding, 2, info.count)
        return matrices.translation(x, y)


@augmentations.register("resized_crop")
@dataclass(frozen=True)
class ResizedCrop(GeometricOperation):
    """Cuts out a part of the picture and enlarges it to the full size.

    The part covers a share of the area from ``low`` to ``high``, evenly; its shape is the picture's times a factor
    from 1 / ``ratio`` to ``ratio``, evenly in the logarithm; it lies anywhere in the picture, evenly.

    Source: C. Szegedy et al., "Going deeper with convolutions", 2015, section 6. A factor that would not fit in the
    picture is brought to the nearest that does, where others draw again.
    """

    low: Area = 0.6
    high: Area = 1.0
    ratio: Annotated[float, Range(1, 4)] = 4 / 3

    def validate(self) -> None:
        """The least area must not be above the most."""
        if self.low > self.high:
            raise OperationError(f"resized_crop takes low at most high ({self.high:g}); got {self.low:g}", "low")

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws area, shape and place."""
        _, height, width = info.shape
        area = uniform(generator, self.low, self.high, info.count)
        shape = self.ratio ** symmetric(generator, 1, info.count)
        shape = torch.minimum(torch.maximum(shape, area), 1 / area)
        across, down = (area * shape).sqrt().clamp(max=1), (area / shape).sqrt().clamp(max=1)
        x, y = symmetric(generator, 0.5, 2, info.count)
        return matrices.window(across, down, x * (1 - across) * width, y * (1 - down) * height)


@augmentations.register("circular_shift")
@dataclass(frozen=True)
class CircularShift(GeometricOperation):
    """Shifts the picture around an axis by a whole number of its ``parts``, so that no pixel is lost.

    What leaves at one side comes in at the other. The number is drawn from 0 to ``parts`` - 1, and where ``axis``
    is ``either``, the axis too. Labels are kept.

    Source: K. Zhang, Z. Cao and J. Wu, "Circular shift: an effective data augmentation method for convolutional
    neural network on image classification", 2020.
    """

    parts: Annotated[int, Range(2)] = 4
    axis: Literal["either", "x", "y"] = "either"

    moves_pixels = True

    @property
    def filling(self) -> Fill:
        """The picture goes on at its opposite side."""
        return WRAP

    def refusal(self, shape: Shape) -> str | None:
        """There must be a pixel for each part."""
        least = min(shape[1:])
        if self.parts <= least:
            return None
        return f"circular_shift takes at most {least} parts on pictures of {shape[1]}×{shape[2]}; got {self.parts}"

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws the number of parts and the axis."""
        _, height, width = info.shape
        part = integers(generator, 0, self.parts - 1, info.count) / self.parts
        is_across = integers(generator, 0, 1, info.count) == 0 if self.axis == "either" else self.axis == "x"
        across = torch.as_tensor(is_across)
        return matrices.translation((part * width).round() * across, (part * height).round() * ~across)


def _parity(ids: Tensor) -> Tensor:
    """One bit for each id, as good as a coin: the last of the SplitMix64 hash (Steele, Lea and Flood, 2014)."""
    bits = ids + -7046029254386353131
    bits = (bits ^ ((bits >> 30) & ((1 << 34) - 1))) * -4658895280553007687
    bits = (bits ^ ((bits >> 27) & ((1 << 37) - 1))) * -7723592293110705685
    return (bits ^ ((bits >> 31) & ((1 << 33) - 1))) & 1
