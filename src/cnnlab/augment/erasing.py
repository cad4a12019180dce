"""Operations that take a part of the picture away."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

import torch
from torch import Generator, Tensor

from cnnlab.augment.catalogue import augmentations
from cnnlab.augment.errors import OperationError
from cnnlab.augment.operation import Info, Parameters, PixelOperation
from cnnlab.augment.pasting import boxes, paste
from cnnlab.augment.resampling import as_float, level
from cnnlab.augment.sampling import noise_bytes, noise_seed, uniform
from cnnlab.core.arguments import Count, Fraction, Range

FillValue: TypeAlias = Literal["noise"] | Fraction
AreaShare: TypeAlias = Annotated[float, Range(0, 1, open_low=True)]


@augmentations.register("erase")
@dataclass(frozen=True)
class Erase(PixelOperation):
    """Replaces a rectangle by noise, or by one ``value``: random erasing.

    It covers a share of the picture from ``low`` to ``high``, evenly, is from 1 / ``ratio`` to ``ratio`` times as
    tall as wide, evenly in the logarithm, and lies anywhere in the picture, evenly.

    Source: Z. Zhong, L. Zheng, G. Kang, S. Li and Y. Yang, "Random erasing data augmentation", 2020, algorithm 1.
    A shape that would not fit in the picture is cut down to it, where the paper draws again.
    """

    low: AreaShare = 0.02
    high: AreaShare = 0.33
    ratio: Annotated[float, Range(1, 10)] = 3.3
    value: FillValue = "noise"
    p: Fraction = field(default=0.5, kw_only=True)

    keeps_bytes = True

    def validate(self) -> None:
        """The least area must not be above the most."""
        if self.low > self.high:
            raise OperationError(f"erase takes low at most high ({self.high:g}); got {self.low:g}", "low")

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws the size, the place and, for noise, its seed."""
        _, height, width = info.shape
        area = uniform(generator, self.low, self.high, info.count) * (height * width)
        ratio = uniform(generator, -math.log(self.ratio), math.log(self.ratio), info.count).exp()
        tall = (area * ratio).sqrt().round().clamp(1, height)
        wide = (area / ratio).sqrt().round().clamp(1, width)
        place = uniform(generator, 0, 1, 2, info.count)
        top, left = (place[0] * (height - tall + 1)).floor(), (place[1] * (width - wide + 1)).floor()
        box = torch.stack([top, top + tall, left, left + wide], 1).short()
        return {"box": box, "noise": noise_seed(generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Replaces what lies in the boxes."""
        return fill_boxes(images, parameters["box"], self.value, parameters["noise"])


@augmentations.register("cutout")
@dataclass(frozen=True)
class Cutout(PixelOperation):
    """Replaces a square of ``size`` pixels by one ``value``, or by noise.

    Its centre is any pixel, so that it may hang over the edge of the picture.

    Source: T. DeVries and G. Taylor, "Improved regularization of convolutional neural networks with cutout", 2017,
    section 3.2. There it is the mean of the data set; mid-grey stands for that here.
    """

    size: Count = 8
    value: FillValue = 0.5

    keeps_bytes = True

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws the centre and, for noise, its seed."""
        _, height, width = info.shape
        place = uniform(generator, 0, 1, 2, info.count)
        top, left = (place[0] * height).floor() - self.size // 2, (place[1] * width).floor() - self.size // 2
        box = torch.stack([top, top + self.size, left, left + self.size], 1).int()
        return {"box": box, "noise": noise_seed(generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Replaces what lies in the boxes."""
        return fill_boxes(images, parameters["box"], self.value, parameters["noise"])


def fill_boxes(images: Tensor, box: Tensor, value: float | str, seed: int) -> Tensor:
    """The pictures with one value in [0, 1], or noise of every value as likely, in the boxes."""
    inside = boxes(box, *images.shape[-2:])
    if not isinstance(value, str):
        return paste(images, level(value, images.dtype), inside)
    noise = noise_bytes(seed, images.shape, images.device)
    return paste(images, noise if images.dtype == torch.uint8 else as_float(noise), inside)
