"""From matrices to pictures: exactly, by indexing, or by one bilinear resampling."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment import buffers
from cnnlab.augment.padding import Fill
from cnnlab.augment.pasting import as_mask, paste

_NEAREST_HORIZON = 1e-3
_MOST_FOLDS = 2
_ROUNDING = 2**-20
"""Weights of an interpolation are not negative, and their sum is not above 1 by more than a quarter of this."""
_CACHED = 2**21
"""Values that are worked on at a time: 8 MiB as floats, and as much again for the places they come from."""
_MULTIPLE = 8
"""Pictures of a part are a multiple of this, so that as many threads have the same to do."""


def as_float(images: Tensor) -> Tensor:
    """Pictures as float32 in [0, 1]; those that are floats already are returned as they are."""
    # A processor divides several times slower than it multiplies; 255 becomes 1 either way.
    return images.float().mul_(1 / 255) if images.dtype == torch.uint8 else images


def level(value: float, dtype: torch.dtype) -> float:
    """A value in [0, 1], to the nearest byte, as pictures of a type hold it: so all types are filled alike."""
    byte = round(value * 255)
    return byte if dtype == torch.uint8 else byte / 255


def resample(images: Tensor, matrices: Tensor, fill: Fill) -> Tensor:
    """Each picture seen through its matrix, interpolated bilinearly between pixel centres.

    :param images: N×C×H×W, uint8 or float in [0, 1].
    :param matrices: float32, of :mod:`cnnlab.augment.matrices`: N×2×3 where all are affine, else N×3×3.
    :returns: float32 in [0, 1] of the same shape.
    """
    parts = _parts(images)
    if len(parts) == 1:
        return _resample(images, matrices, fill)
    result = torch.empty(images.shape, dtype=torch.float32, device=images.device)
    for part in parts:
        result[part] = _resample(images[part], matrices[part], fill)
    return result


def _parts(images: Tensor) -> list[slice]:
    """The batch in parts small enough to stay in a processor's cache, as large pictures otherwise would not."""
    count = max(1, round(images.numel() / _CACHED)) if images.device.type == "cpu" else 1
    size = max(1, -(-len(images) // (count * _MULTIPLE))) * _MULTIPLE
    return [slice(start, start + size) for start in range(0, len(images), size)]


def _resample(images: Tensor, matrices: Tensor, fill: Fill) -> Tensor:
    height, width = images.shape[-2:]
    grid, padding = _grid(matrices, height, width, fill.mode)
    if fill.mode == "constant" and fill.value:
        pixels, value = as_float(images), level(fill.value, torch.float32)
        return F.grid_sample(pixels - value, grid, padding_mode="zeros", align_corners=False).add_(value).clamp_(0, 1)
    if images.dtype != torch.uint8:
        return F.grid_sample(images, grid, padding_mode=padding, align_corners=False).clamp_(0, 1)
    # One pass brings bytes to [0, 1] and, a millionth short of it, spares another that would keep them below 1.
    pixels = buffers.take_buffer("pixels", images.shape, images.device).copy_(images)
    return F.grid_sample(pixels, grid, padding_mode=padding, align_corners=False).mul_((1 - _ROUNDING) / 255)


def move_pixels(images: Tensor, matrices: Tensor, fill: Fill) -> Tensor:
    """Each picture seen through its matrix, which takes pixel centres to pixel centres, by indexing.

    :param matrices: N×3×3 products of mirrorings, whole-pixel translations and, on square pictures, quarter turns.
    :returns: pictures of the same type and shape, every value a value of the source or of a constant fill.
    """
    height, width = images.shape[-2:]
    x, y = _centred(width, images.device), _centred(height, images.device)
    across, down = matrices[:, 0, :, None], matrices[:, 1, :, None]
    is_turned = across[:, 0] == 0
    # A column of the result comes from one column of the source or, where the picture is turned, from one row.
    x_places = (across[:, 0] + down[:, 0]) * x + torch.where(is_turned, down[:, 2], across[:, 2])
    y_places = (across[:, 1] + down[:, 1]) * y + torch.where(is_turned, across[:, 2], down[:, 2])
    x_places, y_places = _whole(x_places, width), _whole(y_places, height)
    column, row = fill.places(x_places, width), fill.places(y_places, height)
    column, row = torch.where(is_turned, column * width, column), torch.where(is_turned, row, row * width)
    index = (row[:, None, :, None] + column[:, None, None, :]).flatten(2).expand(-1, images.shape[1], -1)
    moved = images.flatten(2).gather(2, index).view_as(images)
    if fill.mode != "constant":
        return moved
    outside_x = as_mask(x_places != fill.places(x_places, width))[:, None, None, :]
    outside_y = as_mask(y_places != fill.places(y_places, height))[:, None, :, None]
    return paste(moved, level(fill.value, images.dtype), outside_x | outside_y)


def _grid(matrices: Tensor, height: int, width: int, mode: str) -> tuple[Tensor, str]:
    """Places in the source for every pixel, N×H×W×2, where -1 and 1 are the outer edges as ``grid_sample`` has it.

    An affine map is a sum of something for the column and something for the row, so only one pass is over all
    pixels; x and y stay in planes of their own, which ``grid_sample`` reads as fast as pairs.

    :param mode: of the fill.
    :returns: the places, and how ``grid_sample`` is to treat those outside.
    """
    padding = {"reflect": "reflection", "edge": "border", "constant": "zeros"}[mode]
    scaled = matrices * _edges(height, width, matrices.shape[1], matrices.device)
    by_column = scaled[:, :, 0, None] * _centred(width, matrices.device)
    by_row = torch.addcmul(scaled[:, :, 2, None], scaled[:, :, 1, None], _centred(height, matrices.device))
    planes = buffers.take_buffer("places", (*scaled.shape[:2], height, width), matrices.device)
    torch.add(by_row[:, :, :, None], by_column[:, :, None, :], out=planes)
    if matrices.shape[1] == 3:
        planes = planes[:, :2] / planes[:, 2:].clamp_min(_NEAREST_HORIZON)
    elif mode == "reflect" and _fold(planes, by_row, by_column):
        padding = "border"
    return planes.permute(0, 2, 3, 1), padding


def _fold(planes: Tensor, by_row: Tensor, by_column: Tensor) -> bool:
    """Folds places outside the picture back into it, where that is quicker than to leave it to ``grid_sample``.

    A place is mirrored at the edge that it lies beyond: it becomes twice its nearest place inside, less itself. Places
    up to a picture's width outside take this once.
    """
    if planes.device.type != "cpu":
        # How far out they lie is not known here without waiting for the device.
        return False
    reach = float(by_row.abs().amax() + by_column.abs().amax())
    if not reach <= 1 + 2 * _MOST_FOLDS:
        return False
    inside = buffers.take_buffer("inside", planes.shape, planes.device)
    for _ in range(math.ceil((reach - 1) / 2)):
        planes.lerp_(torch.clamp(planes, -1, 1, out=inside), 2.0)
    return True


@lru_cache(maxsize=16)
def _edges(height: int, width: int, rows: int, device: torch.device) -> Tensor:
    """What takes rows of a matrix from pixels to halves of the picture; to be read only."""
    return torch.tensor([[2 / width], [2 / height], [1.0]], device=device)[:rows]


@lru_cache(maxsize=16)
def _centred(size: int, device: torch.device) -> Tensor:
    """Pixel centres along an axis, measured from its middle; to be read only."""
    return torch.arange(size, dtype=torch.float32, device=device) - (size - 1) / 2


def _whole(places: Tensor, size: int) -> Tensor:
    return (places + (size - 1) / 2).round().long()
