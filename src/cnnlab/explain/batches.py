"""Pictures in batches that fit into memory, and what is settled about each while it is explained."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.core.machine import free_memory
from cnnlab.explain.layers import Place, calls_of
from cnnlab.explain.targets import Chosen, Target
from cnnlab.models import Classifier, Predictable, to_float
from cnnlab.models.shapes import format_shape

_SHARE_OF_MEMORY = 4
_MOST_BYTES = 1 << 30
"""What the maps of a batch may take, however much memory there is: larger ones take no less time."""
_MAPS_AT_A_TIME = 3
"""Of the largest maps, so many lie in memory at a time where no gradient is kept for."""
_UNEVEN = 1e-6


class Batch:
    """Some of the pictures, and what of the model's outputs is explained of them.

    :param pixels: N×C×H×W on the model's device, in the model's number format, in [0, 1].
    :param start: the place of the first among all pictures.
    :param places: the layers that the method is of.
    :param most: pictures that a pass through the model may have.
    :param facts: further numbers of each picture, which the method adds.
    :param notes: what a person must know, which the method adds.
    """

    def __init__(
        self, model: Predictable, pixels: Tensor, start: int, target: Target, places: Sequence[Place], most: int
    ) -> None:
        self.model, self.pixels, self.start, self.places, self.most = model, pixels, start, tuple(places), most
        self.facts: dict[str, Tensor] = {}
        self.notes: list[str] = []
        self._target = target
        self._chosen: Chosen | None = None
        self._scores: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def chosen(self) -> Chosen:
        """What is explained; settled by a pass over the pictures where none was made before."""
        if self._chosen is None:
            with torch.no_grad():
                self.settle(self.model(self.pixels))
        assert self._chosen is not None
        return self._chosen

    @property
    def scores(self) -> Tensor:
        """The number that is explained of each picture, N, as it is."""
        self.chosen  # noqa: B018 (settles it)
        assert self._scores is not None
        return self._scores

    def settle(self, outputs: Tensor) -> Tensor:
        """The number that is explained, N, of the outputs N×K for the pictures as they are."""
        if self._chosen is None:
            self._chosen = self._target.chosen(outputs, self.start)
        score = self._chosen.of(outputs)
        self._scores = score.detach()
        return score

    def score(self, pixels: Tensor, rows: Tensor | None = None) -> Tensor:
        """The number that is explained, M, of changed pictures M×C×H×W.

        :param rows: which picture of the batch each is made of; all in their order unless given.
        """
        return self.chosen.of(self.model(pixels), rows)


def batches_of(
    model: Predictable, pixels: Tensor, target: Target, places: Sequence[Place], *, keeps_maps: bool
) -> Iterator[Batch]:
    """All pictures, in batches as large as memory and speed allow.

    :param pixels: uint8 or float in [0, 1], N×C×H×W.
    :param keeps_maps: whether a pass keeps the maps of all layers, for a gradient.
    """
    own = next((each for each in model.parameters() if each.is_floating_point()), torch.empty(0, dtype=torch.float32))
    most = at_once(model, own.device, keeps_maps=keeps_maps)
    for start in range(0, len(pixels), most):
        part = to_float(pixels[start : start + most].to(own.device)).to(own.dtype)
        yield Batch(model, part.contiguous(memory_format=torch.channels_last), start, target, places, most)


def at_once(model: Predictable, device: torch.device, *, keeps_maps: bool) -> int:
    """How many pictures a pass may have, by the memory that is free and what the maps of one take."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    return max(1, int(min(free // _SHARE_OF_MEMORY, _MOST_BYTES) // _bytes_of_maps(model, keeps_maps)))


def _bytes_of_maps(model: Predictable, keeps_maps: bool) -> int:
    """What the maps of one picture take in a pass, in float32."""
    networks = [each for each in model.modules() if isinstance(each, Classifier)]
    sizes = [_sizes(each.network, each.shape) for each in networks] or [[]]
    # With a gradient, what a layer puts out and the gradient of it.
    each = [2 * sum(own) if keeps_maps else _MAPS_AT_A_TIME * max(own, default=0) for own in sizes]
    return 4 * max(sum(each) if keeps_maps else max(each), 8 * int(np.prod(model.shape)))


def _sizes(network: nn.Module, shape: tuple[int, int, int]) -> list[int]:
    calls = calls_of(network, shape)
    return [call.left.numel() for module, own in calls.items() if not list(module.children()) for call in own]


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
