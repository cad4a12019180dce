"""Copies of a model whose weights are random, layer by layer from the top down."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier, Predictable, evaluating

Draw: TypeAlias = Literal["fresh", "shuffled"]
"""Where random weights come from: drawn as a new layer's are, or the trained ones in another order."""


@dataclass(frozen=True)
class Step:
    """What a step of the cascade makes random beyond the step before.

    :param name: of the lowest layer that is random after it, as in the summary; of an ensemble that of its first model.
    :param modules: by their names in the model.
    """

    name: str
    modules: tuple[str, ...]


def copied(model: Predictable) -> Predictable:
    """A copy on the host that shares nothing with the model but who listens to its parts.

    :raises UsageError: for a network of one's own that cannot be copied.
    """
    held = [held for part in model.modules() for name, held in vars(part).items() if "_hooks" in name]
    # Listeners may hold anything: they stay who they are, in lists of the copy's own.
    memo = {id(each): copy.copy(each) for each in held}
    try:
        return copy.deepcopy(model, memo).to("cpu")
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"weights are made random in a copy of the model, and this one cannot be copied: {error}. Let the network "
            "hold only what copy.deepcopy can copy."
        ) from error


def steps_from_top(model: Predictable, pixels: Tensor, most: int) -> tuple[Step, ...]:
    """The layers with weights from the top down, in at most so many steps; the first is of the last layer alone.

    What has no kernel, such as batch normalisation, goes with the layer that it follows. Where there are more layers
    than steps, neighbours go together. The members of an ensemble are gone down side by side.

    :param pixels: one picture, 1×C×H×W, which is passed through the model.
    :raises UsageError: for a model without weights.
    """
    order = _order(model, pixels)
    inside: list[Predictable] = [each for each in model.modules() if isinstance(each, Classifier)]
    inside = inside or [model]
    prefixes = [name + "." if name else "" for each in inside for name, held in model.named_modules() if held is each]
    columns = [_layers([name for name in order if name.startswith(prefix)], model, prefix) for prefix in prefixes]
    taken = {name for column in columns for step in column for name in step.modules}
    rows = [[step for step in row if step is not None] for row in zip_longest(*columns)]
    layers = [Step(row[0].name, tuple(name for step in row for name in step.modules)) for row in rows]
    rest = tuple(name for name in order if name not in taken)
    if rest:
        layers.append(Step(rest[0], rest))
    if not layers:
        raise UsageError("the model has no weights that could be made random.")
    return _together(layers, most)


def _together(layers: Sequence[Step], most: int) -> tuple[Step, ...]:
    if len(layers) <= most:
        return tuple(layers)
    if most == 1:
        parts = [list(layers)]
    else:
        parts = [[layers[0]], *(list(part) for part in np.array_split(np.array(layers[1:], dtype=object), most - 1))]
    return tuple(Step(part[-1].name, tuple(name for step in part for name in step.modules)) for part in parts)


def _order(model: nn.Module, pixels: Tensor) -> list[str]:
    """The modules that hold weights, as a picture comes to them; what it does not pass stands behind what is around."""
    entered: dict[nn.Module, int] = {}

    def note(module: nn.Module, inputs: object) -> None:
        entered.setdefault(module, len(entered))

    with evaluating(model), torch.no_grad():
        for module in model.modules():
            module._forward_hooks.clear()
            module._forward_pre_hooks.clear()
            module.register_forward_pre_hook(note)
        model(pixels)
    named = dict(model.named_modules())
    places = {}
    for name, module in named.items():
        outer = name
        while named[outer] not in entered and outer:
            outer = outer.rpartition(".")[0]
        places[name] = entered.get(named[outer], -1)
        if not _weights(module):
            del places[name]
    # Sorting keeps the order of declaration among those at one place.
    return sorted(places, key=lambda name: places[name])


def _layers(names: Sequence[str], model: nn.Module, prefix: str) -> list[Step]:
    """Modules grouped by layer, the top first: each kernel with what follows it."""
    groups: list[list[str]] = []
    for name in names:
        has_kernel = any(weight.dim() > 1 for weight in _weights(model.get_submodule(name)).values())
        if not groups or (has_kernel and _has_kernel(groups[-1], model)):
            groups.append([])
        groups[-1].append(name)
    shown = [next((name for name in group if _has_kernel([name], model)), group[0]) for group in groups]
    called = [name.removeprefix(prefix).removeprefix("network.") or "network" for name in shown]
    return [Step(name, tuple(group)) for name, group in zip(reversed(called), reversed(groups), strict=True)]


def _has_kernel(names: Sequence[str], model: nn.Module) -> bool:
    return any(weight.dim() > 1 for name in names for weight in _weights(model.get_submodule(name)).values())


def _weights(module: nn.Module) -> dict[str, nn.Parameter]:
    """What a module holds by itself and not in its parts."""
    return {name: held for name, held in module._parameters.items() if held is not None and held.is_floating_point()}


class Randomiser:
    """Makes the weights of a copy random, step by step; what each becomes is a function of seed, draw and place alone.

    ``fresh`` draws as torch does when it makes a layer, by its ``reset_parameters``, which sets running statistics back
    too; weights of modules that have none are drawn from a normal distribution with the mean and deviation of the
    trained ones. ``shuffled`` puts the values of each tensor in a random order, and those of channels, such as of batch
    normalisation, all in the same.
    """

    def __init__(self, model: Predictable, how: Draw, seed: int, draw: int) -> None:
        self.model, self.how, self.seed, self.draw = model, how, seed, draw
        self._places = {name: place for place, (name, _) in enumerate(model.named_modules())}
        self._done: set[int] = set()

    def down(self, cascade: Iterable[Step]) -> Iterator[Predictable]:
        """The model after each step, the same one."""
        for step in cascade:
            self.randomise(step)
            yield self.model

    def randomise(self, step: Step) -> None:
        """Makes the weights of a step random; a weight that several layers share, once."""
        with torch.no_grad():
            for name in step.modules:
                module = self.model.get_submodule(name)
                (self._reset if self.how == "fresh" else self._shuffle)(module, self._places[name])
                self._done.update(id(weight) for weight in _weights(module).values())

    def _reset(self, module: nn.Module, place: int) -> None:
        before = {name: weight.clone() for name, weight in _weights(module).items()}
        with seeds.scope(self.seed, "randomise", self.draw, place):
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            for name, weight in _weights(module).items():
                if id(weight) in self._done:
                    weight.copy_(before[name])
                elif torch.equal(weight, before[name]) and weight.numel() > 1:
                    weight.normal_(weight.mean().item(), weight.std().item())

    def _shuffle(self, module: nn.Module, place: int) -> None:
        buffers = [each for each in module.buffers(recurse=False) if each.is_floating_point() and each.dim() == 1]
        own = [weight for weight in _weights(module).values() if id(weight) not in self._done]
        for tensor in (*own, *buffers):
            # Drawn anew for each, so that tensors of one length get one order.
            order = torch.randperm(
                tensor.numel(), generator=seeds.generator(self.seed, "shuffle", self.draw, place, tensor.numel())
            )
            tensor.copy_(tensor.flatten()[order].view_as(tensor))
