"""The classifier: a network with the preprocessing and the class names that it needs to be used anywhere."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.models.joined import JoinedNetwork, tell_meaning
from cnnlab.models.layer_strings import MOST_OUTPUTS
from cnnlab.models.pixel_order import permuted, pixel_permutation
from cnnlab.models.predictable import Predictable, Resampling, ResizeMode
from cnnlab.models.shapes import format_shape


class Classifier(Predictable):
    """Pixels in [0, 1] to the objective's outputs; every tool takes this.

    :param network: from normalised pixels, N×C×H×W, to outputs, N×K.
    :param shape: channels, height and width of the pictures.
    :param mean, std: per channel, in units of [0, 1]; a channel whose ``std`` is 0 never varied, and is only centred.
    :param classes: class names of each target column that holds classes.
    :param objective: canonical spec of the objective, which says what the outputs mean.
    :param model: canonical spec that rebuilds the network, or ``module(...)`` for one of the user's own.
    :param permute: seed of one fixed permutation of the pixels, the same for all channels and pictures.
    :param resize: how pictures of another size are brought to ``shape``.
    :param resampling: how the pixels of such pictures are worked out.
    :param white: the value of white in whole numbers of more than 8 bits, where it was trained on such.
    :param float_white: the value of white in floats, where it was trained on such.
    :raises UsageError: when these do not fit together.
    """

    scale: Tensor
    shift: Tensor
    permutation: Tensor | None

    def __init__(
        self,
        network: nn.Module,
        shape: Sequence[int],
        mean: Sequence[float],
        std: Sequence[float],
        classes: Mapping[str, Sequence[str]],
        objective: str,
        model: str,
        permute: int | None = None,
        resize: ResizeMode = "squash",
        white: int | None = None,
        float_white: float | None = None,
        resampling: Resampling = "bilinear",
    ) -> None:
        super().__init__()
        self.network = network
        self.shape = _checked_shape(shape)
        self.mean, self.std = (self._per_channel(name, values) for name, values in (("mean", mean), ("std", std)))
        if min(self.std) < 0:
            raise UsageError(f"a standard deviation cannot be below 0; got std={list(self.std)}.")
        self.classes = {column: tuple(names) for column, names in classes.items()}
        self.objective, self.model, self.permute = objective, model, permute
        self.resize, self.resampling = resize, resampling
        self.white, self.float_white = white, float_white
        self.extra: dict[str, Any] = {}
        self._add_buffers()
        tell_meaning(network, objective, self.classes)

    def _per_channel(self, name: str, values: Sequence[float]) -> tuple[float, ...]:
        if len(values) != self.shape[0]:
            raise UsageError(f"{name} takes one number for each of {self.shape[0]} channels, and got {len(values)}.")
        return tuple(map(float, values))

    def _add_buffers(self) -> None:
        # Not persistent: worked out from plain numbers, which the file holds exactly.
        factors = [1 / deviation if deviation else 1.0 for deviation in self.std]
        offsets = [-mean * factor for mean, factor in zip(self.mean, factors, strict=True)]
        self.register_buffer("scale", _broadcast(factors), persistent=False)
        self.register_buffer("shift", _broadcast(offsets), persistent=False)
        order = None if self.permute is None else pixel_permutation(self.permute, self.shape)
        self.register_buffer("permutation", order, persistent=False)

    @property
    def outputs(self) -> int | None:
        """How many numbers a picture becomes; None for a network of one's own that has no ``head``."""
        head = self.network if isinstance(self.network, JoinedNetwork) else getattr(self.network, "head", None)
        count = getattr(head, "out_features", None)
        return count if isinstance(count, int) else None

    def forward(self, pixels: Tensor) -> Tensor:
        """N×C×H×W, float in [0, 1] or uint8, to N×K; float32 also under autocast to a shorter type."""
        if pixels.dim() != 4 or tuple(pixels.shape[1:]) != self.shape:
            wanted, given = format_shape(self.shape), format_shape(tuple(pixels.shape))
            raise UsageError(f"the classifier takes pictures as N×{wanted} and was given {given}.")
        outputs: Tensor = self.network(self.normalised(pixels))
        return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs

    def normalised(self, pixels: Tensor) -> Tensor:
        """What the network sees: the pixels permuted, where the classifier does that, and (pixels - mean) / std."""
        if pixels.dtype == torch.uint8:
            pixels = pixels.to(self.scale.dtype) / 255
        if self.permutation is not None:
            pixels = permuted(pixels, self.permutation)
        return torch.addcmul(self.shift, pixels, self.scale)


def _broadcast(numbers: Sequence[float]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32).reshape(1, -1, 1, 1)


def _checked_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    if len(shape) != 3 or min(shape) < 1:
        raise UsageError(f"a picture's shape is channels, height and width, each at least 1; got {list(shape)}.")
    if math.prod(shape) > MOST_OUTPUTS:
        raise UsageError(f"pictures of {format_shape(tuple(shape))} are larger than any network here can take.")
    channels, height, width = map(int, shape)
    return channels, height, width
