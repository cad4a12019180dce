"""From a model's spec to a network: a named architecture, or a layer string."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast, get_args

from torch import nn

from cnnlab.core.counterparts import arguments, hint, names
from cnnlab.core.errors import SpecError
from cnnlab.core.registry import Argument, BoundCall, Registry
from cnnlab.core.spec import Call, format_calls, read
from cnnlab.models.initialisers import canonical_initialiser
from cnnlab.models.layer_strings import MOST_OUTPUTS, Layer, layers, stack
from cnnlab.models.shapes import Shape, format_shape
from cnnlab.models.vision_libraries import vision_library

ArchitecturePlan: TypeAlias = Sequence[Call] | nn.Module
"""What an architecture gives: its layers (the head may be left out), or a network whose last layer is ``head``."""

architectures: Registry[ArchitecturePlan] = Registry("architecture", given=("shape", "outputs"))
"""Named architectures: functions of the picture's shape, the number of outputs and the knobs of the spec."""

JOINED = "joined"
"""The architecture that is several networks side by side."""
_ENSEMBLE = "ensemble:"
_HEAD = Call("head")
_HEADS = {"head", "heads"}


@dataclass(frozen=True)
class ModelSpec:
    """What a model's spec means: a named architecture or a string of layers, all arguments checked and complete.

    :param calls: as they were written, which messages point into.
    :param bound: the architecture, or each of the layers.
    :param text: the canonical text, knobs or arguments all filled in.
    """

    calls: tuple[Call, ...]
    bound: BoundCall[ArchitecturePlan] | tuple[BoundCall[Layer], ...]
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def short(self) -> str:
        """The text as a person would write it: without the arguments that stand at their defaults."""
        return format_calls([each.short for each in (self.bound if isinstance(self.bound, tuple) else [self.bound])])

    @property
    def weights(self) -> str | None:
        """What is named as the weights to start from; None where they are random."""
        return self.bound.arguments.get("weights") if isinstance(self.bound, BoundCall) else None

    def without_weights(self) -> "ModelSpec":
        """The same architecture, starting from random weights."""
        if self.weights is None or not isinstance(self.bound, BoundCall):
            return self
        bound = BoundCall(self.bound.entry, {**self.bound.arguments, "weights": None})
        return replace(self, bound=bound, text=_canonical(bound))

    def build(self, shape: Shape, outputs: int) -> nn.Module:
        """As :func:`build_network`."""
        if math.prod(shape) > MOST_OUTPUTS:
            raise SpecError(f"pictures of {format_shape(shape)} are larger than any network here can take.")
        if not isinstance(self.bound, BoundCall):
            return finished(self.calls, shape, outputs)
        try:
            plan = self.bound.build(shape=shape, outputs=outputs)
            return plan if isinstance(plan, nn.Module) else finished(plan, shape, outputs)
        except SpecError as error:
            raise _pointing(self.bound, self.calls[0], shape, error.reason) from error


def parse_model(spec: object) -> ModelSpec:
    """What a model's spec means; one that is parsed already, as it is. ``ensemble:NAME`` is its members side by side.

    :raises SpecError: for names and arguments that there are not.
    """
    if isinstance(spec, ModelSpec):
        return spec
    calls = read(spec)
    if len(calls) == 1 and calls[0].name.startswith(_ENSEMBLE) and not (calls[0].args or calls[0].kwargs):
        calls = read(str(Call(JOINED, (), {"weights": f"run:{calls[0].name.removeprefix(_ENSEMBLE)}"})))
    bound = _bind(calls)
    return ModelSpec(calls, bound, _canonical(bound))


def canonical_model(spec: object) -> str:
    """The canonical text of a model: knobs or arguments all filled in.

    :raises SpecError: for names and arguments that there are not.
    """
    return str(parse_model(spec))


def build_network(spec: object, shape: Shape, outputs: int) -> nn.Module:
    """The network of a spec, ending in a dense layer named ``head``; weights drawn from torch's global generator.

    :param shape: channels, height and width of the pictures.
    :param outputs: how many numbers the objective asks for.
    :raises SpecError: naming the layer that cannot be, and the shape that reaches it.
    """
    return parse_model(spec).build(shape, outputs)


def _pointing(bound: BoundCall[ArchitecturePlan], call: Call, shape: Shape, reason: str) -> SpecError:
    """What is wrong with an architecture, pointing at the argument that the reason begins with, where that is given."""
    message = f"{bound.name} for pictures of {format_shape(shape)}: {reason}"
    word = re.split(r"\W", reason, maxsplit=1)[0]
    names = list(bound.entry.arguments)
    place = names.index(word) if word in names and word not in call.places else word
    return call.error(message, place) if place in call.places else SpecError(message)


def is_built_in(spec: object) -> bool:
    """Whether the spec is one of cnnlab's words, and not ``module(...)``, which names a network of the user's own."""
    try:
        calls = read(spec)
    except SpecError:
        return False
    return bool(calls) and calls[0].name != "module"


def finished(calls: Sequence[Call], shape: Shape, outputs: int, path: str = "") -> nn.Module:
    """The layers of ``calls`` on what has ``shape``, and the head after them where they have none.

    :param path: what stands before the names of the layers in messages.
    """
    has_head = bool(calls) and calls[-1].name in _HEADS
    return stack(calls if has_head else [*calls, _HEAD], shape, path=path, outputs=outputs).module


def _bind(calls: Sequence[Call]) -> BoundCall[ArchitecturePlan] | tuple[BoundCall[Layer], ...]:
    if not calls:
        raise SpecError("a model takes the name of an architecture, or layers such as conv(32)|relu|pool|dense(64).")
    if len(calls) == 1 and calls[0].name not in layers:
        if calls[0].name in architectures:
            _check_arguments(calls[0])
            return architectures.bind(calls[0])
        raise _unknown(calls[0])
    for call in calls:
        if call.name in architectures:
            raise call.error(f"the architecture {call.name} is a whole network and stands alone, not among layers")
    return tuple(layers.bind(call) for call in calls)


def _canonical(bound: BoundCall[ArchitecturePlan] | tuple[BoundCall[Layer], ...]) -> str:
    if isinstance(bound, BoundCall):
        return str(_settled(bound))
    calls = [_settled(layer) for layer in bound]
    if calls[-1] == _settled(layers.bind(_HEAD)):
        calls.pop()
    return format_calls(calls)


def _unknown(call: Call) -> SpecError:
    what = f"there is no architecture or layer called {call.name!r}"
    known = [entry.name for registry in (architectures, layers) for entry in registry]
    kinds = (architectures.kind, layers.kind)
    meant = list(dict.fromkeys(name for kind in kinds for name in names(kind, call.name, known)))
    corrected = architectures.corrected(call) or layers.corrected(call)
    if not meant and _is_in_timm(call.name):
        whole = call.exchanged(str(Call("timm", (call.name, *call.args), call.kwargs)))
        return call.error(f"{what}, and timm has one").corrected_as(whole)
    return call.error(f"{what}. {hint(call.name, known, meant)}").corrected_as(corrected)


def _check_arguments(call: Call) -> None:
    """Refuses arguments by which libraries choose another network than the one that is named, telling that one.

    :raises SpecError: for a depth that is part of a name here, as in ``resnet18``, and for weights to start from of an
        architecture that has none, where timm has them for one of its name.
    """
    known = architectures.entry(call).arguments
    deeper = f"{call.name}{call.kwargs.get('depth')}"
    if "depth" not in known and deeper in architectures:
        rest = Call(deeper, call.args, {key: value for key, value in call.kwargs.items() if key != "depth"})
        reason = f"the architecture {call.name} has no argument 'depth', which is part of the name"
        raise call.error(reason, "depth").corrected_as(call.exchanged(str(rest)))
    names_weights = any("weights" in (name, *arguments.of(name)) for name in call.kwargs)
    if names_weights and "weights" not in known and _is_in_timm(call.name):
        in_timm = architectures.corrected(Call("timm", (call.name, *call.args), call.kwargs))
        reason = f"the architecture {call.name} has no weights to start from, and that of timm has"
        raise call.error(reason).corrected_as(None if in_timm is None else call.exchanged(in_timm))


def _is_in_timm(name: str) -> bool:
    """Imported for a name that would be refused only: it takes a second."""
    try:
        return bool(vision_library("timm").is_model(name.partition(".")[0]))
    except ImportError:
        return False


def _settled(bound: BoundCall[Any]) -> Call:
    """The canonical call, its initialisers and the layers of heads checked and completed too."""
    settled = {key: _settled_value(bound.entry.arguments[key], value) for key, value in bound.arguments.items()}
    return Call(bound.name, (), settled)


def _settled_value(argument: Argument, value: Any) -> Any:
    if argument.name == "before":
        return tuple(canonical_model(text) if read(text) else "" for text in value)
    if argument.name == "members":
        return tuple(map(canonical_model, value))
    if argument.name == "head":
        return _settled_head(argument, value)
    return canonical_initialiser(value) if argument.name in {"init", "bias_init"} else value


def _settled_head(argument: Argument, value: str | None) -> str | None:
    """The layers in ``head=``, or one of the words that an architecture has for an ending of its own."""
    if value is None or not read(value):
        return cast("str | None", argument.default)
    if any(value in get_args(choice) for choice in get_args(argument.annotation)):
        return value
    model = parse_model(value)
    if isinstance(model.bound, BoundCall):
        raise model.bound.call.error(
            f"head takes layers such as dense(254)|relu, and {model.bound.name} is a whole network"
        )
    return str(model)
