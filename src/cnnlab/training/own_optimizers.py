"""Optimisers of one's own: a class of torch's kind, a function of the parameters, or a partial of either."""

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.optim import Optimizer

from cnnlab.core.errors import CnnlabError, TrainingError, UsageError
from cnnlab.core.given_objects import GIVEN, NotFoundHereError, given_name, object_name, recall, remember
from cnnlab.core.object_digests import object_digests
from cnnlab.core.registry import Argument, BoundCall, RegistryEntry
from cnnlab.core.seeds import generator, scope
from cnnlab.core.spec import Call, read_one
from cnnlab.training.checkpoint_file import pack_optimizer, unpack_optimizer

OwnOptimizer: TypeAlias = Callable[[list[nn.Parameter]], Optimizer]
_STEPS = 3


def remember_optimizer(given: OwnOptimizer, known: Callable[[type, dict[str, Any]], str | None]) -> str:
    """The spec of an optimiser that was given in Python: that of one of cnnlab's own words, where it is one.

    :param known: the spec of a class with these arguments, where there is a word for it.
    :raises UsageError: for what makes no optimiser.
    """
    if isinstance(given, Optimizer):
        name = type(given).__name__
        raise UsageError(
            f"an optimiser is made for the weights of one network, and {name} is given ready made. Give its class with "
            f"its arguments: optimizer=functools.partial({name}, lr=0.1)."
        )
    if not callable(given):
        raise UsageError(
            f"optimizer takes a spec, a class of torch's kind, or a function of the parameters; got "
            f"{type(given).__name__}."
        )
    kind, arguments = (given.func, given.keywords) if isinstance(given, partial) and not given.args else (given, {})
    word = known(kind, arguments) if inspect.isclass(kind) else None
    return word or str(remember(GIVEN, given, *object_digests(given)))


def bind_own(call: Call) -> BoundCall[Optimizer]:
    """What stands for an optimiser of one's own, as any other is bound."""
    arguments = {name: Argument(name, Any, None) for name in call.kwargs}
    return BoundCall(RegistryEntry(GIVEN, _made, arguments), dict(call.kwargs))


def is_own(spec: object) -> bool:
    """Whether a spec stands for an optimiser that was given in Python."""
    return isinstance(spec, BoundCall) and spec.name == GIVEN


def check_own(bound: BoundCall[Optimizer]) -> None:
    """Refuses an optimiser that cannot be stepped by the loop, or could not go on from a checkpoint as it was.

    One that this process does not know is not tried.
    """
    try:
        recall(bound.call)
    except NotFoundHereError:
        return
    # Once for each, since the text says all that it is.
    _rehearse(str(bound.call))


def _made(params: Sequence[nn.Parameter], **call: Any) -> Optimizer:
    own = Call(GIVEN, (), call)
    try:
        optimizer = recall(own)[0](list(params))
    except NotFoundHereError as error:
        raise UsageError(
            f"the optimiser {error.name} was given in Python, and a record holds no code"
            f"{error.reason and f'; {error.reason}'}. Give it again: optimizer={error.name}."
        ) from error
    if not isinstance(optimizer, Optimizer):
        raise UsageError(f"{given_name(own)}, given as optimizer, made a {type(optimizer).__name__}, no optimiser.")
    return optimizer


@lru_cache(maxsize=64)
def _rehearse(text: str) -> None:
    """Takes a few steps on weights of three shapes, twice: straight on, and from what a checkpoint would hold."""
    bound = bind_own(read_one(text, "An optimizer"))
    name = given_name(bound.call)
    try:
        with scope(0, "rehearsal"):
            ended, went_on = _trained(bound, is_interrupted=False), _trained(bound, is_interrupted=True)
    except TrainingError as error:
        raise UsageError(f"the optimiser {name} cannot be resumed: {error}") from error
    except CnnlabError:
        raise
    except Exception as error:
        raise UsageError(
            f"the optimiser {name} fails on a list of parameters: {type(error).__name__}: {error}. It is called with "
            "that alone; put its arguments into a functools.partial."
        ) from error
    if not all(map(torch.equal, ended, went_on)):
        raise UsageError(
            f"the optimiser {name} keeps part of its state where a checkpoint cannot hold it, or draws from torch's "
            "global generator, so that a killed run could not go on as the same. Keep what changes from step to step "
            "in its state and its param_groups."
        )


def _trained(bound: BoundCall[Optimizer], *, is_interrupted: bool) -> list[torch.Tensor]:
    """The weights after a few steps, the last of which is taken by another optimiser where that is asked for."""
    weights = [nn.Parameter(_random(0, shape)) for shape in ((3, 2, 3, 3), (5, 4), (5,))]
    optimizer = bound.build(params=weights)
    if any(not isinstance(group.get("lr"), int | float) for group in optimizer.param_groups):
        raise UsageError(
            f"the optimiser {object_name(type(optimizer))} has no learning rate, lr, as a number in its param_groups, "
            "for the schedule to change."
        )
    for step in range(_STEPS):
        if is_interrupted and step == _STEPS - 1:
            tensors, rest = pack_optimizer(optimizer)
            kept = {name: tensor.clone() for name, tensor in tensors.items()}
            optimizer = bound.build(params=weights)
            unpack_optimizer(optimizer, kept, rest)
        for number, weight in enumerate(weights):
            weight.grad = _random(1 + 3 * step + number, weight.shape)
        optimizer.step()
    return [weight.detach().clone() for weight in weights]


def _random(number: int, shape: Sequence[int]) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(0, "rehearsal", number))
