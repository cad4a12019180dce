"""The optimisers of pytorch-optimizer that torch lacks, under that library's names, as far as they fit the loop."""

import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum
from typing import Annotated, Any, Literal, Union

from torch import Tensor
from torch.optim import Optimizer

from cnnlab.core.arguments import NonNegative, Positive, Range, convert
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.lazy_imports import require
from cnnlab.core.registry import Argument, Registry, RegistryEntry

_EXECUTION = {"params", "foreach", "fused", "capturable", "differentiable", "maximize"}
_TYPES: dict[str, Any] = {
    "lr": Positive,
    "momentum": Annotated[float, Range(0, 1, open_high=True)],
    "weight_decay": NonNegative,
    "eps": NonNegative,
}
_MATRICES = "updates matrices only, and a network also has biases and convolutions"
_STATE = "keeps part of its state where a checkpoint cannot hold it, so that a killed run could not go on as the same"
_RANDOM = "draws from torch's global generator while it updates, so that its runs could not be repeated"
_EVALUATION = "keeps other weights for training than for evaluation, which the loop does not exchange"
_NETWORK = "takes over the backward pass of the whole network"
_CURVATURE = "needs second derivatives, which the loop does not compute"
_UNFIT: dict[str, str] = {
    **dict.fromkeys(("adago", "adamuon", "distributedmuon", "lorarite", "muon", "muonclip", "normuon"), _MATRICES),
    "spectralsphere": _MATRICES,
    **dict.fromkeys(("adashift", "conda", "scalableshampoo", "spam", "stablespam"), _STATE),
    **dict.fromkeys(("emofact", "emolynx", "emonavi"), _STATE),
    **dict.fromkeys(("dash", "gravity", "kron", "magma"), _RANDOM),
    **dict.fromkeys(("schedulefreeadamw", "schedulefreeradam", "schedulefreesgd", "splus"), _EVALUATION),
    **dict.fromkeys(("adalomo", "adammini", "lomo"), _NETWORK),
    **dict.fromkeys(("adahessian", "sophiah"), _CURVATURE),
    **dict.fromkeys(("bsam", "lbfgs"), "needs a closure that computes the loss several times a step"),
    "alig": "works its rate out of the loss, which the loop does not hand to it",
    "a2grad": "has no learning rate for a schedule to act on",
    "ranger21": "schedules its learning rate itself; ranger leaves that to the recipe",
    "demo": "works on several machines that exchange parts of their gradients",
    "sparseadam": "takes sparse gradients only, and those of the loop are dense",
}


def register_all(optimizers: Registry[Optimizer]) -> None:
    """Registers every optimiser of pytorch-optimizer whose name is free; one that does not fit says why when bound."""
    library = require("pytorch_optimizer", "an optimiser that torch lacks", "pytorch-optimizer")
    # Whatever they are given, and nothing, is taken: what is wrong with them is not the person's arguments.
    anything = Argument("", Any, None)
    for name in _UNFIT:
        optimizers.add(RegistryEntry(name, _refusal(name), {"lr": replace(anything, name="lr")}, anything))
    for name in library.get_supported_optimizers():
        if name not in optimizers:
            kind = library.load_optimizer(name)
            optimizers.add(RegistryEntry(name, _maker(name, kind), _arguments(kind)))


def _arguments(kind: type[Optimizer]) -> dict[str, Argument]:
    """What the optimiser takes that a spec can say: numbers, flags, words and lists of numbers."""
    hints = typing.get_type_hints(kind.__init__)
    arguments = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        if name in _EXECUTION or parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        annotation = _annotation(name, hints.get(name, Any), parameter.default)
        if annotation is not None:
            arguments[name] = Argument(name, annotation, _plain(parameter.default, annotation))
    return arguments


def _annotation(name: str, hint: Any, default: Any) -> Any:
    """The type of an argument; None for what no spec can hold, such as a function."""
    if isinstance(default, Enum) or (isinstance(default, float) and not math.isfinite(default)):
        return None
    if isinstance(default, tuple):
        is_flat = all(isinstance(part, int | float) for part in default)
        return tuple.__class_getitem__((float,) * len(default)) if is_flat else None
    if typing.get_origin(hint) is Literal:
        return hint
    kinds = list(typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,))
    is_known = all(kind in (bool, int, float, str, type(None), Tensor) for kind in kinds)
    kinds = [kind for kind in kinds if kind is not Tensor]
    if not is_known or not kinds:
        return None
    if float in kinds:
        kinds[kinds.index(float)] = _TYPES.get(name, float)
    return kinds[0] if len(kinds) == 1 else Union[tuple(kinds)]  # noqa: UP007 (made of a list)


def _plain(default: Any, annotation: Any) -> Any:
    return default if default in (None, inspect.Parameter.empty) else convert(default, annotation)


def _maker(name: str, kind: type[Optimizer]) -> Callable[..., Optimizer]:
    def make(params: Iterable[Any], **arguments: Any) -> Optimizer:
        try:
            return kind(params, **arguments)
        except ValueError as error:
            raise UsageError(f"optimizer {name} refuses its arguments: {str(error).rstrip('.')}.") from error

    make.__doc__ = f"{kind.__name__} of pytorch-optimizer."
    return make


def _refusal(name: str) -> Callable[..., Optimizer]:
    def make(params: Iterable[Any], **arguments: Any) -> Optimizer:
        raise SpecError(f"optimizer {name} {_UNFIT[name]}. Take another, such as adamw, sgd or ftrl.")

    make.__doc__ = f"Not offered: {_UNFIT[name]}."
    return make
