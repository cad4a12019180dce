"""Pillow's resizing as matrices, for graphs that take pictures of any size."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cnnlab.models.predictable import Predictable, Resampling, ResizeMode

_HALFWAY = 2.0**-20


class PillowResize(nn.Module):
    """Pictures of any one size brought to a classifier's, as cnnlab has Pillow do it when it reads files.

    Pillow works out each output from the inputs under a kernel that is widened where the picture shrinks, first along
    rows, then along columns, and rounds to whole numbers after each (``Resample.c``). The weights of a pass are a
    matrix here. Two things differ: Pillow rounds weights to 22 bits, and takes some sizes along columns first. With
    ``bilinear`` a value is another by one at most; with ``bicubic``, which overshoots and is cut off at black and white
    after each pass, by more at hard edges. What that comes to is measured where a model is exported.

    :param size: height and width to be brought to.
    :param how: ``squash``, ``crop`` as ``ImageOps.fit`` does, or ``pad`` as ``ImageOps.pad``, with black.
    """

    def __init__(self, size: Sequence[int], how: ResizeMode, resampling: Resampling = "bilinear") -> None:
        super().__init__()
        self.height, self.width = size
        self.how, self.resampling = how, resampling

    def forward(self, images: Tensor) -> Tensor:
        """uint8 N×C×H×W to uint8 N×C×height×width."""
        high, wide = _length(images[0, 0, :, 0]), _length(images[0, 0, 0, :])
        vertical = self._matrix(high, self.height, wide * self.height / self.width, images[0, 0, :, 0])
        horizontal = self._matrix(wide, self.width, high * self.width / self.height, images[0, 0, 0, :])
        pixels = _whole(torch.matmul(images.to(torch.float64), horizontal.transpose(0, 1)))
        return _whole(torch.matmul(vertical, pixels)).to(torch.uint8)

    def _matrix(self, length: Tensor, wanted: int, matched: Tensor, line: Tensor) -> Tensor:
        """The weights, wanted×length, of the pixels of a line.

        :param matched: how long the line would be for the picture to have the proportions that are wanted.
        """
        places = torch.arange(wanted, dtype=torch.float64)
        start, scale, is_inside = torch.zeros_like(length), length / wanted, None
        if self.how == "crop":
            kept = torch.minimum(length, matched)
            start, scale = (length - kept) / 2, kept / wanted
        elif self.how == "pad":
            seen = torch.round(torch.clamp(length / matched, max=1.0) * wanted).clamp(min=1.0)
            before = torch.round((wanted - seen) / 2)
            places, scale = places - before, length / seen
            is_inside = (places >= 0) & (places < seen)
        centres = start + (places + 0.5) * scale
        # Wider than a pixel only where the picture shrinks.
        reach = torch.clamp(scale, min=1.0)
        pixels = torch.arange(line.shape[0], dtype=torch.float64) + 0.5
        weights = self._kernel((pixels[None] - centres[:, None]) / reach)
        weights = weights / weights.sum(1, keepdim=True)
        return weights if is_inside is None else torch.where(is_inside[:, None], weights, torch.zeros_like(weights))

    def _kernel(self, distance: Tensor) -> Tensor:
        far = distance.abs()
        if self.resampling == "bilinear":
            return torch.clamp(1 - far, min=0.0)
        # Keys 1981 with a = -1/2.
        near = (1.5 * far - 2.5) * far * far + 1
        outer = ((-0.5 * far + 2.5) * far - 4) * far + 2
        return torch.where(far < 1, near, torch.where(far < 2, outer, torch.zeros_like(far)))


def _length(line: Tensor) -> Tensor:
    """How many pixels a line has, as a tensor: graphs for any size know no other way to compute with that."""
    return torch.ones_like(line, dtype=torch.float64).sum()


def _whole(pixels: Tensor) -> Tensor:
    """To the nearest whole number, halves up, within those of a byte."""
    # What lies halfway must go up whatever the order of a sum made of its last digit.
    return torch.clamp(torch.floor(pixels + (0.5 + _HALFWAY)), 0.0, 255.0)


class WithResize(Predictable):
    """A model that takes pictures of any size, all of one batch alike, and resizes them itself."""

    def __init__(self, model: Predictable) -> None:
        super().__init__()
        self.resizing = PillowResize(model.shape[1:], model.resize, model.resampling)
        self.model = model
        self.shape, self.resize, self.resampling = model.shape, model.resize, model.resampling
        self.classes, self.objective = model.classes, model.objective

    def forward(self, images: Tensor) -> Tensor:
        """uint8 N×C×H×W to N×K."""
        outputs: Tensor = self.model(self.resizing(images))
        return outputs
