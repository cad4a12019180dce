"""Pictures as they are given to tools over a model: checked, and brought to where the model is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.models.inference import to_float
from cnnlab.models.shapes import format_shape

_UNEVEN = 1e-6


def given_pixels(images: Any, shape: Sequence[int]) -> Tensor:
    """Pictures as they are given, N×C×H×W, uint8 or float in [0, 1]; nothing of them is known to autograd.

    :raises UsageError: for another shape, range or type than the model takes.
    """
    if not isinstance(images, Tensor):
        try:
            images = torch.from_numpy(np.ascontiguousarray(images))
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"pictures are arrays or tensors N×{format_shape(tuple(shape))}, uint8 or float in [0, 1]; got "
                f"{type(images).__name__}. Files are read by cnnlab.load_data."
            ) from error
    pixels: Tensor = images.detach()
    pixels = pixels[None] if pixels.dim() == 3 and tuple(pixels.shape) == tuple(shape) else pixels
    if pixels.dim() != 4 or tuple(pixels.shape[1:]) != tuple(shape) or not len(pixels):
        wanted, given = format_shape(tuple(shape)), format_shape(tuple(images.shape))
        raise UsageError(f"the model takes pictures as N×{wanted}, at least one, and was given {given}.")
    if pixels.dtype == torch.uint8:
        return pixels
    if not pixels.is_floating_point():
        kind = str(pixels.dtype).removeprefix("torch.")
        raise UsageError(f"pictures are uint8 from 0 to 255 or float from 0 to 1; got {kind}.")
    low, high = pixels.min().item(), pixels.max().item()
    if not (low >= -_UNEVEN and high <= 1 + _UNEVEN):
        raise UsageError(
            f"pictures in floats go from 0 to 1, and these from {low:g} to {high:g}. Give pixels as they are, without "
            "normalisation, which is inside the model; divide bytes by 255."
        )
    return pixels


def on_device(pixels: Tensor, model: nn.Module, memory_format: torch.memory_format = torch.channels_last) -> Tensor:
    """Pictures on the device and in the number format of a model, in [0, 1]."""
    own = next((each for each in model.parameters() if each.is_floating_point()), torch.empty(0, dtype=torch.float32))
    return to_float(pixels.to(own.device)).to(own.dtype).contiguous(memory_format=memory_format)
