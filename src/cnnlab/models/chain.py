"""The modules of a network that run one after another: where it can be cut in two, and what its parts are made of."""

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cnnlab.core.compiler import compiler_put_off
from cnnlab.models.inference import evaluating
from cnnlab.models.shapes import Shape

_REFUSALS = (RuntimeError, AssertionError, ValueError, IndexError, NotImplementedError)


@dataclass(frozen=True)
class Link:
    """A module whose input is nothing but what the link before it puts out.

    :param name: as in the summary of the network; empty for a network that is a single link.
    :param shape: of what it puts out for one picture.
    """

    name: str
    module: nn.Module
    shape: Shape


@dataclass(frozen=True)
class ModuleCall:
    """One module called once: what went in and what came out, kept so that another tensor cannot pass for it."""

    module: nn.Module
    entered: Tensor
    left: Tensor


def chain_of(network: nn.Module, shape: Shape) -> tuple[Link, ...]:
    """A network as the finest chain of modules that it is, in the order in which a picture passes them.

    A module is taken apart where its children run one after another and it does nothing besides; a residual block, a
    module that is used twice and one that computes between its children stay whole. Adapters and the like, which hold
    no weights, are links as well. The network is left as it was found.

    :param shape: of a picture: channels, height, width.
    """
    return tuple(links_within(network, "", trace(network, shape)))


def links_within(module: nn.Module, name: str, calls: dict[nn.Module, list[ModuleCall]]) -> list[Link]:
    """The links that a module of this name is taken apart into, itself where it is a single one.

    :param calls: what :func:`trace` saw of the network that it is in.
    """
    own = calls.get(module, [])
    inner = [(key, child) for key, child in module.named_children() if child in calls or _has_weights(child)]
    if len(own) != 1 or not _is_chain(own[0], [calls.get(child, []) for _, child in inner]):
        return [Link(name, module, tuple(own[-1].left.shape[1:]) if own else ())]
    prefix = f"{name}." if name else ""
    return [link for key, child in inner for link in links_within(child, f"{prefix}{key}", calls)]


def _is_chain(whole: ModuleCall, inner: list[list[ModuleCall]]) -> bool:
    """Whether a module passes its input through its children, each once, and hands on what the last of them gives."""
    if not inner or any(len(calls) != 1 for calls in inner):
        return False
    ends = [calls[0] for calls in inner]
    is_passed_on = all(after.entered is before.left for before, after in pairwise(ends))
    return ends[0].entered is whole.entered and ends[-1].left is whole.left and is_passed_on


def _has_weights(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def trace(network: nn.Module, shape: Shape) -> dict[nn.Module, list[ModuleCall]]:
    """The calls of each module, in their order, as one picture passes, without memory where that can be done.

    A module that is passed with several tensors, or puts out something other than one, is there without such calls.
    """
    tensors = dict(chain(network.named_parameters(), network.named_buffers()))
    blank = {name: tensor.to("meta") for name, tensor in tensors.items()}
    own = next(iter(tensors.values()), torch.empty(0)).device
    for device, state in ((torch.device("meta"), blank), (own, tensors)):
        calls: dict[nn.Module, list[ModuleCall]] = {}

        def note(module: nn.Module, inputs: tuple[Any, ...], output: Any, calls: Any = calls) -> None:
            seen = calls.setdefault(module, [])
            if len(inputs) == 1 and isinstance(inputs[0], Tensor) and isinstance(output, Tensor):
                seen.append(ModuleCall(module, inputs[0], output))

        try:
            with evaluating(network), torch.no_grad(), compiler_put_off():
                for module in network.modules():
                    module.register_forward_hook(note)
                functional_call(network, state, torch.zeros(1, *shape, device=device))
            return calls
        except _REFUSALS:
            continue
    return {}
