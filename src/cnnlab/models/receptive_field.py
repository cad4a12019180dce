"""Receptive fields, followed from layer to layer while a picture passes through a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from cnnlab.models.input_adapters import GreyToColour
from cnnlab.models.modules import Add, Concatenate, Exponential, GlobalPool, Multiply
from cnnlab.models.penalties import ActivityPenalty
from cnnlab.models.shapes import HeightWidth, Shape, pair, reach

_WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
_JOINS = (Add, Concatenate, Multiply)
_MIXERS = (nn.Linear, GlobalPool)
_POINTWISE = (
    *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus, Exponential),
    *(nn.ReLU6, nn.Hardswish, nn.Hardsigmoid, nn.PReLU, nn.BatchNorm1d, nn.BatchNorm2d, nn.Identity, nn.Flatten),
    *(nn.Dropout, nn.Dropout2d, nn.AlphaDropout, ActivityPenalty, GreyToColour),
)


@dataclass(frozen=True)
class ReceptiveField:
    """What one position of a tensor sees of the picture, in pixels along height and width.

    :param size: the receptive field, borders that padding adds included.
    :param jump: how far apart the fields of two neighbouring positions are.
    :param extent: how many positions there are.
    """

    size: HeightWidth
    jump: HeightWidth
    extent: HeightWidth

    def through_window(self, module: Any, extent: HeightWidth) -> "ReceptiveField":
        """After a window slid over the positions (Araujo et al. 2019, "Computing Receptive Fields", equation 2)."""
        kernel, stride = pair(module.kernel_size), pair(module.stride)
        spans = [reach(k, d) for k, d in zip(kernel, pair(getattr(module, "dilation", 1)), strict=True)]
        sizes = [size + (span - 1) * jump for size, span, jump in zip(self.size, spans, self.jump, strict=True)]
        jumps = [jump * step for jump, step in zip(self.jump, stride, strict=True)]
        return ReceptiveField(pair(sizes), pair(jumps), extent)

    def mixed(self) -> "ReceptiveField":
        """After all positions came together in each."""
        sizes = [s + (n - 1) * jump for s, n, jump in zip(self.size, self.extent, self.jump, strict=True)]
        return ReceptiveField(pair(sizes), self.jump, (1, 1))


class ReceptiveFieldTracker:
    """The receptive field of every tensor that passed a layer, by the tensor's identity."""

    def __init__(self, shape: Shape) -> None:
        self._image = ReceptiveField((1, 1), (1, 1), (shape[1], shape[2]))
        # The tensors are kept so that no other can take their identity.
        self._known: dict[int, tuple[Tensor, ReceptiveField | None]] = {}

    def start(self, image: Tensor) -> None:
        """Takes the picture itself: each pixel sees itself."""
        self._known[id(image)] = (image, self._image)

    def passed(self, module: nn.Module, inputs: Sequence[Tensor], output: Tensor) -> HeightWidth | None:
        """The field behind each output of a layer; None where an input or the kind of layer is unknown."""
        sources = [self._known.get(id(value), (value, None))[1] for value in inputs]
        known = [source for source in sources if source is not None]
        field = _after(module, known, output) if sources and len(known) == len(sources) else None
        self._known[id(output)] = (output, field)
        return field.size if field else None


def _after(module: nn.Module, sources: Sequence[ReceptiveField], output: Tensor) -> ReceptiveField | None:
    extent = pair(tuple(output.shape[2:])) if output.dim() == 4 else sources[0].extent
    if isinstance(module, _WINDOWS):
        return sources[0].through_window(module, extent)
    if isinstance(module, _POINTWISE):
        return sources[0]
    if isinstance(module, _MIXERS) or (isinstance(module, nn.AdaptiveAvgPool2d) and extent == (1, 1)):
        return sources[0].mixed()
    if isinstance(module, _JOINS):
        sizes = [max(source.size[axis] for source in sources) for axis in (0, 1)]
        jumps = [max(source.jump[axis] for source in sources) for axis in (0, 1)]
        return ReceptiveField(pair(sizes), pair(jumps), extent)
    return None
