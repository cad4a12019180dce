"""Layers one after another: each gets a readable name and is fitted to the shape that reaches it.

A registered layer is a function of its :class:`LayerContext` and of the arguments in the layer string; it returns the
module and the shape that leaves it. Blocks such as ``residual`` build their insides with :func:`stack` too.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from cnnlab.core.errors import SpecError
from cnnlab.core.registry import BoundCall, Registry
from cnnlab.core.spec import Call
from cnnlab.models.cpu_kernels import Sequential
from cnnlab.models.shapes import Shape, format_shape

MOST_WEIGHTS = 2**31
"""The most numbers a layer's kernel may hold; more is a slip of the pen, or does not fit into memory."""
MOST_OUTPUTS = 2**28
"""The most numbers one picture may become on the way."""


class Layer(NamedTuple):
    """A module, and the shape that leaves it."""

    module: nn.Module
    shape: Shape


@dataclass(frozen=True)
class LayerContext:
    """Where a layer is to stand.

    :param name: its name there, with those of the blocks around it, such as ``residual1.body.conv2``.
    :param shape: what reaches it.
    :param following: the activation that acts on its output, where one does.
    :param call: what was written, for messages.
    :param outputs: how many outputs the network has; known to the head only.
    """

    name: str
    shape: Shape
    following: str | None
    call: Call
    outputs: int | None = None

    def error(self, reason: str, argument: str | int | None = None) -> SpecError:
        """What is wrong with the layer here."""
        return self.call.error(f"{self.name} gets {format_shape(self.shape)}: {reason}", argument)

    def feature_map(self) -> tuple[int, int, int]:
        """Channels, height and width of what reaches the layer.

        :raises SpecError: when that is flat already.
        """
        if len(self.shape) != 3:
            raise self.error(f"{self.call.name} needs a feature map (channels×height×width); put it before flatten")
        channels, height, width = self.shape
        return channels, height, width

    def afford(self, *kernel: int) -> None:
        """Refuses a kernel of more numbers than could be meant, before it is allocated."""
        if math.prod(kernel) > MOST_WEIGHTS:
            raise self.error(f"its kernel would hold {format_shape(kernel)} = {math.prod(kernel):,} weights")

    def inner(self, block: str, calls: Sequence[Call], shape: Shape | None = None) -> Layer:
        """Layers inside this one, under the name ``block``."""
        return stack(calls, shape or self.shape, path=f"{self.name}.{block}.")


layers: Registry[Layer] = Registry("layer", given=("place",))
activations: set[str] = set()
"""The names of the layers that are activations."""

_ON_VECTORS = {"dense", "head", "heads"}
_UNWEIGHTED = {"bn", "pool", "avgpool", "global_pool", "flatten", "dropout", "alpha_dropout", "activity"}


def stack(calls: Sequence[Call], shape: Shape, *, path: str = "", outputs: int | None = None) -> Layer:
    """The layers of ``calls`` as one named sequence, starting from ``shape``.

    A dense layer flattens a feature map first. ``outputs`` goes to the last layer.

    :raises SpecError: naming the layer that cannot be, and the shape there.
    """
    bound = [layers.bind(call) for call in calls]
    sequence, counts = Sequential(), Counter[str]()
    for index, (call, layer) in enumerate(zip(calls, bound, strict=True)):
        if layer.name in _ON_VECTORS and len(shape) > 1:
            sequence.add_module(_next_name(counts, "flatten"), nn.Flatten())
            shape = (math.prod(shape),)
        name = _next_name(counts, layer.name)
        last = outputs if index == len(bound) - 1 else None
        place = LayerContext(path + name, shape, _following(bound[index + 1 :]), call, last)
        module, shape = layer.build(place=place)
        if math.prod(shape) > MOST_OUTPUTS:
            raise place.error(f"one picture would become {format_shape(shape)} numbers here")
        sequence.add_module(name, module)
    return Layer(sequence, shape)


def _next_name(counts: Counter[str], kind: str) -> str:
    """conv1, conv2, pool1; the head, of which there is one, goes without a number."""
    word = "head" if kind == "heads" else kind.replace("-", "_")
    counts[word] += 1
    return word if word == "head" else f"{word}{counts[word]}"


def _following(rest: Sequence[BoundCall[Layer]]) -> str | None:
    for layer in rest:
        if layer.name in activations:
            return layer.name
        if layer.name not in _UNWEIGHTED:
            return None
    return None
