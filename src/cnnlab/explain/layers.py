"""The layer that an explanation is of, by its name or the last feature map, and what it puts out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier, Predictable, evaluating, find_layer
from cnnlab.models.chain import ModuleCall, trace
from cnnlab.models.shapes import Shape, format_shape

_PASSED_ON = (nn.Identity, nn.modules.dropout._DropoutNd)


@dataclass(frozen=True)
class Place:
    """A layer of one classifier; an ensemble has one in each of its members.

    :param classifier: the whole model, or the member that the layer is in.
    :param name: as in the summary of its network.
    """

    classifier: Predictable
    name: str
    module: nn.Module


def places_of(model: Predictable, layer: str | None) -> tuple[Place, ...]:
    """Where a layer is in a model, in each member of an ensemble.

    :param layer: its name in the summary; None for the last feature map of each, see :func:`last_map`. Of an ensemble
        also that of a single member's, such as ``members.0.network.conv4``.
    :raises UsageError: naming the closest there are.
    """
    named = dict(model.named_modules())
    classifiers: dict[str, Predictable] = {
        name: module for name, module in named.items() if isinstance(module, Classifier)
    }
    if layer is not None and not isinstance(model, Classifier) and layer in named and layer:
        inside = [name for name in classifiers if layer.startswith(f"{name}.network.")]
        owner = max(inside, key=len, default=None)
        own = model if owner is None else classifiers[owner]
        return (Place(own, layer, named[layer]),)
    whole = list(classifiers.values()) or [model]
    names = [last_map(each) if layer is None else layer for each in whole]
    return tuple(Place(each, name, find_layer(each, name)) for each, name in zip(whole, names, strict=True))


def last_map(classifier: Predictable) -> str:
    """The last feature map that is as large as what the last convolution puts out, by name.

    That is, the activation after the last convolution, or the block that it ends; a pool behind it has fewer places,
    and what the head holds has a channel for each class. Only what a picture passes once is taken.

    :raises UsageError: for a network that has no feature maps.
    """
    network: nn.Module = getattr(classifier, "network", classifier)
    names = {module: name for name, module in network.named_modules()}
    maps = [
        (names[module], module, tuple(calls[0].left.shape[2:]))
        for module, calls in calls_of(network, classifier.shape).items()
        if len(calls) == 1 and calls[0].left.dim() == 4 and names.get(module) and not isinstance(module, _PASSED_ON)
    ]
    maps = [one for one in maps if one[0].partition(".")[0] != "head" and one[2] != (1, 1)]
    with_weights = [place for place, (_, module, _) in enumerate(maps) if module._parameters]
    if not with_weights:
        raise UsageError(
            "the network has no feature maps, of which class activation maps are made. Take a method that needs none, "
            "such as integrated-gradients or occlusion."
        )
    last = maps[with_weights[-1] :]
    name: str = [name for name, _, size in last if size == last[0][2]][-1]
    return name


def calls_of(network: nn.Module, shape: Shape) -> dict[nn.Module, list[ModuleCall]]:
    """The calls of each module as one picture passes, as :func:`cnnlab.models.chain.trace` has them.

    Nobody who listens to a module hears of it.
    """
    with evaluating(network):
        for module in network.modules():
            for held in (module._forward_hooks, module._forward_pre_hooks):
                held.clear()
        return trace(network, shape)


class Listener:
    """A block around one pass through a model: what layers put out is noted, or something else handed on in its place.

    :param change: of what a layer puts out to what is handed on; what is noted is then what is handed on.
    """

    def __init__(self, places: Sequence[Place], change: Callable[[Tensor], Tensor] | None = None) -> None:
        self._places, self._change = places, change
        self._found: dict[Place, Tensor] = {}
        self._handles: list[Any] = []

    def __enter__(self) -> "Listener":
        self._handles = [place.module.register_forward_hook(self._hook(place)) for place in self._places]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    @property
    def outputs(self) -> list[Tensor]:
        """What was noted, in the order of the places.

        :raises UsageError: for a layer that pictures did not pass.
        """
        for place in self._places:
            if place not in self._found:
                raise UsageError(f"pictures do not pass the layer {place.name} on their way through the network.")
        return [self._found[place] for place in self._places]

    def _hook(self, place: Place) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> Tensor | None:
            if not isinstance(output, Tensor):
                raise UsageError(f"the layer {place.name} puts out {type(output).__name__}, and no feature map.")
            if place in self._found:
                raise UsageError(
                    f"pictures pass the layer {place.name} more than once, so that it is open which pass is meant. "
                    "Take a layer that they pass once, such as the block around it, or give each pass a module of its "
                    "own."
                )
            self._found[place] = output if self._change is None else self._change(output)
            return None if self._change is None else self._found[place]

        return hook


def require_maps(outputs: Tensor, place: Place) -> Tensor:
    """What a layer put out, if it is feature maps N×C×H×W.

    :raises UsageError: saying what it is instead.
    """
    if outputs.dim() != 4:
        size = format_shape(tuple(outputs.shape[1:]))
        raise UsageError(
            f"the layer {place.name} puts out {size} for a picture, and a class activation map is made of feature "
            f"maps, channels×height×width. The last that has them is {last_map(place.classifier)}."
        )
    return outputs


def enlarged(maps: Tensor, place: Place) -> Tensor:
    """Maps N×K×h×w of a layer as large as the picture that was given, N×K×H×W, by bilinear interpolation.

    Of a classifier that permutes pixels the map is of the permuted picture, and is put back in the order given.
    """
    size = place.classifier.shape[1:]
    if tuple(maps.shape[2:]) != size:
        maps = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
    order = getattr(place.classifier, "permutation", None)
    if order is None:
        return maps
    given = torch.empty_like(maps.flatten(2))
    given[:, :, order] = maps.flatten(2)
    return given.reshape(maps.shape)
