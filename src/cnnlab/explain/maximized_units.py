"""What is maximised: channels of a layer, or the outputs of a model, by their numbers or names."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.number_text import counted
from cnnlab.core.sinks import in_short
from cnnlab.explain.opened import grey_picture, survey
from cnnlab.models import Head, Predictable, find_layer, heads_of
from cnnlab.models.features import layer_call, not_passed

RELUS = (nn.ReLU, nn.ReLU6)
_MOST_LISTED = 24


@dataclass(frozen=True)
class Units:
    """Units of a model that can be maximised.

    :param names: of all of them, in order.
    :param measure: of pictures N×C×H×W and the numbers of units, N, what each unit gives for its picture, N.
    :param numbers: how many numbers the layers up to them put out for one picture.
    """

    names: tuple[str, ...]
    measure: Callable[[Tensor, Tensor], Tensor]
    numbers: int
    notes: tuple[str, ...] = ()

    def chosen(self, wanted: Sequence[int | str] | int | str | None, where: str) -> list[int]:
        """The numbers of the units that are meant; all of them for None.

        :param where: what they are of, for messages.
        :raises UsageError: listing what there is.
        """
        if wanted is None:
            return list(range(len(self.names)))
        each = [wanted] if isinstance(wanted, int | str | np.integer) else list(wanted)
        if not each:
            raise UsageError(f"name at least one of the {len(self.names)} of {where}.")
        return [self._number(one, where) for one in each]

    def _number(self, wanted: int | str, where: str) -> int:
        if isinstance(wanted, str) and wanted in self.names:
            return self.names.index(wanted)
        if isinstance(wanted, str) and not wanted.strip().isdecimal():
            raise UsageError(f"{where} has no {in_short(wanted)}. {suggestion(wanted, self.names)}")
        number = int(wanted)
        if not 0 <= number < len(self.names):
            raise UsageError(
                f"{where} has {counted(len(self.names), 'unit')}, 0 to {len(self.names) - 1}; got {number}."
            )
        return number


class _ReachedError(Exception):
    """Leaves a forward pass at the layer that was wanted."""


def units_of(model: Predictable, layer: str | None) -> Units:
    """The channels of a layer, or the outputs of the model where none is named.

    Of a layer that is a ReLU it is what goes in, which has a gradient where the unit is silent.

    :raises UsageError: when there is no such layer, pictures do not pass it, or it puts out something other than one
        tensor of channels.
    """
    return _outputs(model) if layer is None else _channels(model, layer)


def up_to(model: Predictable, layer: str, pixels: Tensor) -> Tensor:
    """What a layer puts out, or takes where it is a ReLU; what follows is not computed.

    Of one that pictures pass several times it is the first pass, or the one that is said, as in ``relu, call 2``.

    :raises UsageError: as :func:`units_of`.
    """
    module, call, reached = find_layer(model, layer), layer_call(layer)[1] or 1, list[Tensor]()
    entered = left = 0

    def reach(found: Any) -> None:
        if not isinstance(found, Tensor):
            raise UsageError(
                f"the layer {layer} puts out {type(found).__name__}, and its channels cannot be told apart."
            )
        reached.append(found)
        raise _ReachedError

    def enter(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        nonlocal entered
        entered += 1
        if entered == call and isinstance(module, RELUS):
            reach(inputs[0])

    def leave(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal left
        left += 1
        if left == call:
            reach(output)

    hooks = [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        with suppress(_ReachedError):
            model(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    if not reached:
        raise not_passed(layer, left)
    return reached.pop()


def _channels(model: Predictable, layer: str) -> Units:
    module = find_layer(model, layer)
    with torch.no_grad():
        shown = up_to(model, layer, grey_picture(model))
    if shown.dim() < 2:
        raise UsageError(f"the layer {layer} puts out one number for a picture, which has no channels.")
    count = shown.shape[_axis(shown)]

    def measure(pixels: Tensor, numbers: Tensor) -> Tensor:
        features = up_to(model, layer, pixels)
        own = features.index_select(_axis(features), numbers) if len(features) == 1 else _own(features, numbers)
        return own.flatten(1).mean(1)

    seen = survey(model, layer)
    notes = [f"{layer} is a ReLU, and what goes into it is maximised"] if isinstance(module, RELUS) else []
    if seen.passes > 1 and layer_call(layer)[1] is None:
        notes.append(f"pictures pass {layer} {seen.passes} times, and the first of them is maximised")
    return Units(tuple(f"channel {number}" for number in range(count)), measure, seen.numbers, tuple(notes))


def _axis(features: Tensor) -> int:
    """Which axis is that of channels: of rows of tokens, N×T×D, the last."""
    return features.dim() - 1 if features.dim() == 3 else 1


def _own(features: Tensor, numbers: Tensor) -> Tensor:
    """Of each picture's features those of its own unit."""
    rows = torch.arange(len(features), device=features.device)
    return features[rows, :, numbers] if features.dim() == 3 else features[rows, numbers].reshape(len(features), -1)


def _outputs(model: Predictable) -> Units:
    _, heads = heads_of(model)
    each = [(head, place) for head in heads for place in range(max(1, len(head.names)))]

    def measure(pixels: Tensor, numbers: Tensor) -> Tensor:
        outputs = model(pixels)
        weights = torch.zeros_like(outputs)
        for row, number in enumerate(numbers.tolist()):
            head, place = each[number]
            own = outputs[row : row + 1].detach()
            weights[row, head.outputs] = head.weights(own, torch.tensor([place], device=own.device))[0]
        total: Tensor = (outputs * weights).sum(1)
        return total

    return Units(tuple(_name(head, place, len(heads)) for head, place in each), measure, survey(model, None).numbers)


def _name(head: Head, place: int, heads: int) -> str:
    if not head.names:
        return head.name
    return head.names[place] if heads == 1 else f"{head.name}={head.names[place]}"
