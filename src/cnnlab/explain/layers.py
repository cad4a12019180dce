"""The layer that an explanation is of, by its name or the last feature map, and what it puts out."""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier, Predictable, evaluating, find_layer
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


Passes: TypeAlias = dict[nn.Module, list[Shape | None]]
"""For each module, in the order in which a picture leaves them, what it put out each time; None for no tensor."""


@dataclass(frozen=True)
class _Known:
    """How a picture passed a model whose parts were these, set like this; nothing here keeps one of them alive."""

    size: tuple[int, ...]
    parts: list[weakref.ref[nn.Module]]
    settings: list[list[Any]]
    order: list[int]
    shapes: list[list[Shape | None]]


_known: weakref.WeakKeyDictionary[nn.Module, _Known] = weakref.WeakKeyDictionary()
_PLAIN = (bool, int, float, str, type(None))


def passes_of(model: nn.Module, pixels: Tensor) -> Passes:
    """How one picture, 1×C×H×W, passes a model; nobody who listens to a module hears of it.

    It is remembered for as long as the model lives and has the same parts with the same settings: of few small pictures
    an explanation takes little longer than that pass.
    """
    parts, size = list(model.modules()), tuple(pixels.shape)
    settings = [_settings(part) for part in parts]
    known = _known.get(model)
    is_same = known is not None and known.size == size and known.settings == settings
    if known is not None and is_same and [own() for own in known.parts] == parts:
        return {parts[place]: shapes for place, shapes in zip(known.order, known.shapes, strict=True)}
    found = _passed(model, pixels)
    if any("forward" in vars(part) for part in parts):
        # Which function that is, the address of another may tell in its stead once it is gone.
        return found
    places = {part: place for place, part in enumerate(parts)}
    order = [places[part] for part in found]
    _known[model] = _Known(size, [weakref.ref(part) for part in parts], settings, order, list(found.values()))
    return found


def _settings(module: nn.Module) -> list[Any]:
    """What a module does hangs on these and on its parts, as far as can be seen; of what is no plain value, which."""
    return [value if type(value) in _PLAIN else id(value) for value in vars(module).values()]


def _passed(model: nn.Module, pixels: Tensor) -> Passes:
    found: Passes = {}

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        found.setdefault(module, []).append(tuple(output.shape[1:]) if isinstance(output, Tensor) else None)

    with evaluating(model), torch.no_grad():
        for module in model.modules():
            module._forward_hooks.clear()
            if not isinstance(module, torch.jit.ScriptModule):
                module.register_forward_hook(note)
        model(pixels)
    return found


def places_of(model: Predictable, layer: str | None, passes: Passes, *, needs_maps: bool = True) -> tuple[Place, ...]:
    """Where a layer is in a model, in each member of an ensemble.

    :param layer: its name in the summary; None for the last feature map of each, see :func:`last_map`. Of an ensemble
        also that of a single member's, such as ``members.0.network.conv4``.
    :param needs_maps: whether it has to put out feature maps.
    :raises UsageError: naming the closest there are, or why it cannot be this.
    """
    named = dict(model.named_modules())
    classifiers: dict[str, Predictable] = {
        name: module for name, module in named.items() if isinstance(module, Classifier)
    }
    if layer is not None and not isinstance(model, Classifier) and layer in named and layer:
        inside = [name for name in classifiers if layer.startswith(f"{name}.network.")]
        owner = max(inside, key=len, default=None)
        places = [Place(model if owner is None else classifiers[owner], layer, named[layer])]
    else:
        whole = list(classifiers.values()) or [model]
        names = [last_map(each, passes) if layer is None else layer for each in whole]
        places = [Place(each, name, find_layer(each, name)) for each, name in zip(whole, names, strict=True)]
    for place in places:
        _check(place, passes, needs_maps)
    return tuple(places)


def _check(place: Place, passes: Passes, needs_maps: bool) -> None:
    shapes = passes.get(place.module, [])
    if not shapes:
        raise UsageError(f"pictures do not pass the layer {place.name} on their way through the network.")
    if len(shapes) > 1:
        raise UsageError(
            f"pictures pass the layer {place.name} {len(shapes)} times, so that it is open which is meant. Take a "
            "layer that they pass once, such as the block around it, or give each pass a module of its own."
        )
    shape = shapes[0]
    if shape is None:
        raise UsageError(f"the layer {place.name} puts out something other than one tensor.")
    if needs_maps and len(shape) != 3:
        last = last_map(place.classifier, passes)
        raise UsageError(
            f"the layer {place.name} puts out {format_shape(shape)} for a picture, and a class activation map is made "
            f"of feature maps, channels×height×width. The last that has them is {last}."
        )


def last_map(classifier: Predictable, passes: Passes) -> str:
    """The last feature map that is as large as what the last convolution puts out, by name.

    That is, the activation after the last convolution, or the block that it ends; a pool behind it has fewer places,
    and what the head holds has a channel for each class. Only what a picture passes once is taken.

    :raises UsageError: for a network that has no feature maps.
    """
    network: nn.Module = getattr(classifier, "network", classifier)
    maps: list[tuple[str, nn.Module, tuple[int, ...]]] = []
    names = {module: name for name, module in network.named_modules() if name}
    for module, shapes in passes.items():
        name = names.get(module)
        shape = (shapes[0] if len(shapes) == 1 else None) or ()
        is_map = len(shape) == 3 and max(shape[1:]) > 1
        if is_map and name and name.partition(".")[0] != "head" and not isinstance(module, _PASSED_ON):
            maps.append((name, module, shape[1:]))
    with_weights = [place for place, (_, module, _) in enumerate(maps) if module._parameters]
    if not with_weights:
        raise UsageError(
            "the network has no feature maps, of which class activation maps are made. Take a method that needs none, "
            "such as integrated-gradients or occlusion."
        )
    last = maps[with_weights[-1] :]
    return [name for name, _, size in last if size == last[0][2]][-1]


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
