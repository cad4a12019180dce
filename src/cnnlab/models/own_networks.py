"""Networks of one's own: a module, or a class or function that makes one, given in Python."""

import copy
import hashlib
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from cnnlab.core.digests import digest
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.given_objects import NotFoundHereError, object_name, recall, remember, stand_in
from cnnlab.core.messages import warn
from cnnlab.core.seeds import scope
from cnnlab.core.spec import Call, read_one
from cnnlab.models.inference import evaluating
from cnnlab.models.shapes import Shape, format_shape

OWN = "module"
"""The name of the call that stands for a network of one's own in a recipe and in a file."""
OwnNetwork: TypeAlias = nn.Module | Callable[[], nn.Module]
"""A module, or a class or function that makes one when it is called without arguments."""
_DIGITS = 16


def remember_network(given: OwnNetwork) -> str:
    """The spec of a network that was given in Python, by which this process knows it from now on.

    The digest is of its structure, its source where that can be had, and its first weights; ``code`` leaves these out.

    :raises UsageError: for what is no network and makes none.
    """
    network = _drawn(given)
    code = digest([repr(network), *_sources(network)])[:_DIGITS]
    whole = digest([_weights_digest(network), repr(network), *_sources(network)])[:_DIGITS]
    return str(remember(OWN, given, whole, code, source=_source_of(given, network)))


def recalled_network(spec: object) -> tuple[OwnNetwork, bool]:
    """What ``spec`` stands for, and whether it is that to the last bit of its code and first weights.

    Code that has changed since is warned of.

    :raises NotFoundHereError: where this process does not know it and cannot import it.
    """
    call = read_one(spec, "A model")
    given, is_imported = recall(call)
    return given, not is_imported or _is_same(call, given)


def give_network(spec: object, given: OwnNetwork) -> None:
    """Has this process take a network for the one that ``spec`` stands for; code that has changed is warned of."""
    call = read_one(spec, "A model")
    _is_same(call, given)
    stand_in(call, given)


def _is_same(call: Call, given: OwnNetwork) -> bool:
    """Whether the digest is that on record."""
    found = read_one(remember_network(given), "A model").kwargs
    if "code" in call.kwargs and call.kwargs["code"] != found["code"]:
        warn(
            f"the code of the network {call.kwargs.get('name')} has changed since the run was trained. With the "
            "weights of the run it may compute something else than it did then."
        )
    return bool(call.kwargs.get("digest") == found["digest"])


def made_network(given: OwnNetwork) -> nn.Module:
    """The module itself; or what the function or class makes, from torch's global generator.

    :raises UsageError: when it makes no module, or fails.
    """
    if isinstance(given, nn.Module):
        return given
    if not callable(given):
        raise UsageError(f"a network is an nn.Module or a function that makes one; got {type(given).__name__}.")
    network = _called(given)
    if not isinstance(network, nn.Module):
        raise UsageError(f"the function given as model made a {type(network).__name__}, not an nn.Module.")
    return network


def fresh_network(given: OwnNetwork, shape: Shape) -> nn.Module:
    """A network to be trained or filled, its lazy parts made for pictures of this shape; a module given is copied."""
    network = made_network(given)
    return materialised(copy.deepcopy(network) if network is given else network, shape)


def materialised(network: nn.Module, shape: Shape) -> nn.Module:
    """The same network, whose lazy parts know their sizes after two blank pictures.

    :raises UsageError: when it fails on these.
    """
    if any(map(_is_lazy, (*network.parameters(), *network.buffers()))):
        modes = [(part, part.training) for part in network.modules()]
        with torch.no_grad():
            _tried(network.eval(), shape)
        for part, mode in modes:
            part.training = mode
    return network


def check_network(network: nn.Module, shape: Shape, outputs: int) -> None:
    """Tries a module given in Python on two blank pictures.

    :raises UsageError: when it fails, has nothing to train, or its output has another width than the objective wants.
    """
    if not any(weights.requires_grad for weights in network.parameters()):
        raise UsageError("the model has no parameter that requires a gradient, so there is nothing to train.")
    with evaluating(network), torch.no_grad():
        result = _tried(network, shape)
    if not isinstance(result, Tensor) or tuple(result.shape) != (2, outputs):
        found = "×".join(map(str, result.shape)) if isinstance(result, Tensor) else type(result).__name__
        raise UsageError(
            f"the model must turn N pictures of {format_shape(shape)} into a tensor N×{outputs}; for N=2 it gave "
            f"{found}."
        )


def where_to_give(error: NotFoundHereError, line: str) -> str:
    """What to do about a network that is not known here.

    :param line: how it is given in Python, as ``run.classifier(network=Net)``.
    """
    found = "set PYTHONPATH to the folder where it lies"
    if not error.reason:
        found = (
            "put it into a file of its own, run the cnnlab.train(…) again that it was given to, with it imported from "
            f"there, which trains nothing twice, and {found}"
        )
    return (
        f"the network {error.name} was given in Python, and a record holds no code"
        f"{error.reason and f'; {error.reason}'}. Give it again in Python, the class or whatever makes it: {line}. A "
        f"command finds it where Python can import it: {found}."
    )


def _tried(network: nn.Module, shape: Shape) -> Any:
    try:
        return network(torch.zeros(2, *shape))
    except CnnlabError:
        raise
    except Exception as error:
        raise UsageError(f"the model fails on pictures of {format_shape(shape)}: {error}") from error


def _called(make: Callable[[], Any]) -> Any:
    name = object_name(make)
    try:
        inspect.signature(make).bind()
    except TypeError as error:
        raise UsageError(
            f"the function given as model is called without arguments, and {name} wants some ({error}). Wrap it, as in "
            "model=lambda: Net(32)."
        ) from error
    except ValueError:
        # Written in another language, it tells nothing of its arguments.
        pass
    try:
        return make()
    except CnnlabError:
        raise
    except Exception as error:
        raise UsageError(f"the function given as model, {name}, fails: {type(error).__name__}: {error}") from error


def _drawn(given: OwnNetwork) -> nn.Module:
    """The network with weights that are the same in every process; those of a module are its own."""
    with scope(0, "digest"):
        return made_network(given)


def _source_of(given: OwnNetwork, network: nn.Module) -> Any:
    """What is imported to have the network again: of a module its class, where that makes the like by itself."""
    if not isinstance(given, nn.Module):
        return given
    try:
        alike = _drawn(type(given))
    except Exception:  # whatever a constructor does without the arguments that it wants
        return given
    return type(given) if repr(alike) == repr(network) else given


def _weights_digest(network: nn.Module) -> str:
    content = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        content.update(name.encode())
        if not _is_lazy(tensor):
            content.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return content.hexdigest()


def _is_lazy(tensor: Tensor) -> bool:
    return isinstance(tensor, UninitializedParameter | UninitializedBuffer)


def _sources(network: nn.Module) -> list[str]:
    kinds = {type(part) for part in network.modules() if not type(part).__module__.startswith("torch.")}
    return sorted(map(_source, kinds))


def _source(kind: type) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return kind.__qualname__
