"""The layer that an explanation is of, by its name or the last feature map, and what it puts out."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier, Predictable, evaluating, find_layer
from cnnlab.models.features import layer_call, not_passed
from cnnlab.models.shapes import Shape, format_shape

_PASSED_ON = (nn.Identity, nn.modules.dropout._DropoutNd)


@dataclass(frozen=True)
class Place:
    """A layer of one classifier; an ensemble has one in each of its members.

    :param classifier: the whole model, or the member that the layer is in.
    :param name: as in the summary of its network, with the call where a picture passes it several times.
    :param call: which of a picture's passes is meant, from 1; None for the only one.
    """

    classifier: Predictable
    name: str
    module: nn.Module
    call: int | None = None


@dataclass(frozen=True)
class Pass:
    """One pass of a picture through a module.

    :param shape: of what it puts out for one picture; None for no tensor.
    """

    module: nn.Module
    shape: Shape | None


Passes: TypeAlias = Sequence[Pass]
"""Of one picture through a model, in the order in which it leaves the modules."""


def passes_of(model: nn.Module, pixels: Tensor) -> Passes:
    """How one picture, 1×C×H×W, passes a model; nobody who listens to a module hears of it."""
    found: list[Pass] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        found.append(Pass(module, tuple(output.shape[1:]) if isinstance(output, Tensor) else None))

    with evaluating(model), torch.no_grad():
        for module in model.modules():
            module._forward_hooks.clear()
            if not isinstance(module, torch.jit.ScriptModule):
                module.register_forward_hook(note)
        model(pixels)
    return found


def places_of(model: Predictable, layer: str | None, passes: Passes, *, needs_maps: bool = True) -> tuple[Place, ...]:
    """Where a layer is in a model, in each member of an ensemble.

    :param layer: its name in the summary, with the call where a picture passes it several times, as in ``relu, call
        2``; None for the last feature map of each, see :func:`last_map`. Of an ensemble also that of a single member's,
        such as ``members.0.network.conv4``.
    :param needs_maps: whether it has to put out feature maps.
    :raises UsageError: naming the closest there are, or why it cannot be this.
    """
    named = dict(model.named_modules())
    classifiers: dict[str, Predictable] = {
        name: module for name, module in named.items() if isinstance(module, Classifier)
    }
    own, call = (None, None) if layer is None else layer_call(layer)
    if layer is not None and not isinstance(model, Classifier) and own in named and own:
        inside = [name for name in classifiers if own.startswith(f"{name}.network.")]
        owner = max(inside, key=len, default=None)
        places = [Place(model if owner is None else classifiers[owner], layer, named[own], call)]
    else:
        whole = list(classifiers.values()) or [model]
        names = [last_map(each, passes) if layer is None else layer for each in whole]
        places = [
            Place(each, name, find_layer(each, name), layer_call(name)[1])
            for each, name in zip(whole, names, strict=True)
        ]
    for place in places:
        _check(place, passes, needs_maps)
    return tuple(places)


def _check(place: Place, passes: Passes, needs_maps: bool) -> None:
    shapes = [each.shape for each in passes if each.module is place.module]
    if len(shapes) < (place.call or 1):
        raise not_passed(place.name, len(shapes))
    if len(shapes) > 1 and place.call is None:
        raise UsageError(
            f"pictures pass the layer {place.name} {len(shapes)} times, so that it is open which is meant. Say which, "
            f"from 1, as in layer='{place.name}, call {len(shapes)}'."
        )
    shape = shapes[(place.call or 1) - 1]
    if shape is None:
        raise UsageError(f"the layer {place.name} puts out something other than one tensor.")
    if needs_maps and len(shape) != 3:
        last = last_map(place.classifier, passes)
        raise UsageError(
            f"the layer {place.name} puts out {format_shape(shape)} for a picture, and a class activation map is made "
            f"of feature maps, channels×height×width. The last that has them is {last}."
        )


@dataclass(frozen=True)
class _Map:
    """A layer's feature maps of one pass.

    :param size: height and width.
    """

    name: str
    size: tuple[int, int]
    has_weights: bool
    is_in_head: bool


def last_map(classifier: Predictable, passes: Passes) -> str:
    """The last feature map that is as large as what the last convolution puts out, by name.

    That is, the activation after the last convolution whose maps have more than one place, or the block that it ends; a
    pool behind it has fewer places, and what the head holds has a channel for each class. Of a layer that a picture
    passes several times the name says which pass it is.

    :raises UsageError: for a network that has no such map, saying why and which layer could be named.
    """
    network: nn.Module = getattr(classifier, "network", classifier)
    found = _maps(network, passes)
    maps = [each for each in found if max(each.size) > 1]
    body = [each for each in maps if not each.is_in_head]
    with_weights = [place for place, each in enumerate(body) if each.has_weights]
    if not with_weights:
        raise UsageError(_why_no_map(network, found, maps))
    last = body[with_weights[-1] :]
    return [each.name for each in last if each.size == last[0].size][-1]


def _maps(network: nn.Module, passes: Passes) -> list[_Map]:
    """All feature maps that modules of a network put out, in order."""
    names = {module: name for name, module in network.named_modules() if name}
    often, before = Counter(each.module for each in passes), Counter[nn.Module]()
    found = []
    for each in passes:
        before[each.module] += 1
        name, shape = names.get(each.module), each.shape or ()
        if name is None or len(shape) != 3 or isinstance(each.module, _PASSED_ON):
            continue
        call = f", call {before[each.module]}" if often[each.module] > 1 else ""
        is_in_head = name.partition(".")[0] == "head"
        found.append(_Map(f"{name}{call}", shape[1:], bool(each.module._parameters), is_in_head))
    return found


def _why_no_map(network: nn.Module, found: Sequence[_Map], maps: Sequence[_Map]) -> str:
    """Why no layer is taken for the last feature map, and what can be done.

    :param found: all feature maps; ``maps`` those of more than one place.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        why = "the layers of the network are within compiled code (TorchScript), where nobody can listen to them"
    elif found and not maps:
        why = "the feature maps of the network have a single place each, 1×1, of which no map of the picture is made"
    elif maps:
        why = "no layer with weights, before the head, puts out feature maps of more than one place"
    else:
        why = "the network has no feature maps, of which class activation maps are made"
    name = f"Name the layer that is meant, as in layer={maps[-1].name}, or take" if maps else "Take"
    return f"{why}. {name} a method that needs none, such as integrated-gradients or occlusion."


class Listener:
    """A block around one pass through a model: what layers put out is noted, or something else handed on in its place.

    :param change: of what a layer puts out to what is handed on; what is noted is then what is handed on.
    """

    def __init__(self, places: Sequence[Place], change: Callable[[Tensor], Tensor] | None = None) -> None:
        self._places, self._change = places, change
        self._found: dict[Place, Tensor] = {}
        self._passed: Counter[Place] = Counter()
        self._handles: list[Any] = []

    def __enter__(self) -> "Listener":
        self._handles = [place.module.register_forward_hook(self._hook(place)) for place in self._places]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    @property
    def has_all(self) -> bool:
        """Whether all layers were passed, as often as is meant."""
        return len(self._found) == len(self._places)

    @property
    def outputs(self) -> list[Tensor]:
        """What was noted, in the order of the places.

        :raises UsageError: for a layer that pictures did not pass.
        """
        for place in self._places:
            if place not in self._found:
                raise not_passed(place.name, self._passed[place])
        return [self._found[place] for place in self._places]

    def _hook(self, place: Place) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> Tensor | None:
            self._passed[place] += 1
            if place.call is not None and self._passed[place] != place.call:
                return None
            if not isinstance(output, Tensor):
                raise UsageError(f"the layer {place.name} puts out {type(output).__name__}, and no feature map.")
            if place in self._found:
                raise UsageError(f"pictures pass the layer {place.name} more than once.")
            self._found[place] = output if self._change is None else self._change(output)
            return None if self._change is None else self._found[place]

        return hook


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
