"""Optimisers by spec string: all of ``torch.optim`` that takes dense gradients, under torch's names and defaults.

And what pytorch-optimizer has beyond these, such as FTRL, which is imported only for a name that torch does not know.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import torch
from torch import nn
from torch.nn.parameter import Parameter
from torch.optim import Optimizer

from cnnlab.core.arguments import NonNegative, Positive, Range
from cnnlab.core.compiler import compiler_put_off
from cnnlab.core.errors import UsageError
from cnnlab.core.given_objects import GIVEN
from cnnlab.core.registry import Argument, BoundCall, Registry, RegistryEntry
from cnnlab.core.spec import Call, read_one
from cnnlab.training.own_optimizers import bind_own, check_own, is_own


@cache
def _register_further() -> None:
    from cnnlab.training.pytorch_optimizer import register_all

    register_all(optimizers)


optimizers: Registry[Optimizer] = Registry("optimizer", given=("params",), late=_register_further)
"""Every optimiser; those of pytorch-optimizer from the first name on that is not one of torch's."""

# LBFGS wants a closure that repeats the step, SparseAdam sparse gradients, Muon matrices only: none fits this loop.
_UNFIT = {"Optimizer", "LBFGS", "SparseAdam", "Muon"}
# How the update is carried out, not what it is.
_EXECUTION = {"params", "foreach", "fused", "capturable", "differentiable", "maximize"}
_TYPES: dict[str, Any] = {
    "lr": Positive,
    "momentum": Annotated[float, Range(0, 1, open_high=True)],
    "weight_decay": NonNegative,
    "eps": Positive,
}


def _annotation(name: str, default: Any) -> Any:
    if isinstance(default, bool):
        return bool
    if isinstance(default, int | float):
        return _TYPES.get(name, float)
    if isinstance(default, tuple):
        # A tuple type of as many numbers, some of which may be none.
        kinds = tuple(float | None if None in default else float for _ in default)
        return tuple.__class_getitem__(kinds)
    return Any


def _register(kind: type[Optimizer]) -> None:
    parameters = inspect.signature(kind).parameters
    arguments = {
        name: Argument(name, _annotation(name, p.default), _plain(p.default))
        for name, p in parameters.items()
        if name not in _EXECUTION and p.kind is not inspect.Parameter.VAR_KEYWORD
    }
    optimizers.add(RegistryEntry(kind.__name__.lower(), _maker(kind, "fused" in parameters), arguments))


def _plain(default: Any) -> Any:
    return float(default) if isinstance(default, int | float) and not isinstance(default, bool) else default


def _maker(kind: type[Optimizer], can_fuse: bool) -> Callable[..., Optimizer]:
    def make(params: Iterable[Any], **arguments: Any) -> Optimizer:
        groups = list(params)
        fused: dict[str, Any] = {"fused": True} if can_fuse and _all_float32(groups) else {}
        try:
            return kind(groups, **arguments, **fused)
        except ValueError as error:
            raise UsageError(f"optimizer {kind.__name__.lower()} refuses its arguments: {error}.") from error

    make.__doc__ = f"{kind.__name__} of torch.optim."
    return make


def _all_float32(groups: list[dict[str, Any]]) -> bool:
    return all(p.dtype == torch.float32 for group in groups for p in group["params"])


_OF_TORCH = {name.lower() for name in dir(torch.optim)}
for _name in dir(torch.optim):
    _kind = getattr(torch.optim, _name)
    if inspect.isclass(_kind) and issubclass(_kind, Optimizer) and _name not in _UNFIT:
        _register(_kind)


@dataclass(frozen=True)
class TrainedPart:
    """Parameters that are trained at one learning rate.

    :param rate: that of the optimiser where there is none.
    """

    parameters: Sequence[Parameter]
    rate: float | None = None


def parse_optimizer(spec: object) -> BoundCall[Optimizer]:
    """What an optimiser's spec means, also of one that was given in Python."""
    if isinstance(spec, BoundCall):
        return spec
    call = read_one(spec, "An optimizer")
    return bind_own(call) if call.name == GIVEN else optimizers.bind(call)


def word_for(kind: type, arguments: dict[str, Any]) -> str | None:
    """The spec of an optimiser's class with these arguments; None where it is none of those known by a word."""
    name = kind.__name__.lower()
    if kind.__module__.startswith("pytorch_optimizer"):
        _register_further()
    is_known = name in optimizers and (getattr(torch.optim, kind.__name__, None) is kind or name not in _OF_TORCH)
    if not is_known or not kind.__module__.startswith(("torch.", "pytorch_optimizer")):
        return None
    if set(arguments) - set(optimizers.entry(Call(name)).arguments):
        return None
    return str(optimizers.bind(Call(name, (), arguments)))


@compiler_put_off()
def build_optimizer(
    bound: BoundCall[Optimizer], module: nn.Module, weight_decay: float, parts: Sequence[TrainedPart] = ()
) -> Optimizer:
    """The optimiser over a module's trainable weights.

    :param parts: those of them that it is over, each at its own rate; all at one rate unless given.
    :param weight_decay: decay of matrices and kernels; vectors (biases and the scales of norms) are spared, and so
        they are from the decay that an optimiser has by default. Its own ``weight_decay`` argument, as in
        ``sgd(weight_decay=5e-4)``, decays everything alike.
    :raises UsageError: when the arguments do not suit the optimiser, or decay is given twice.
    """
    decay, spared = _decays(bound, weight_decay)
    if is_own(bound):
        return _build_own(bound, module, parts)
    whole = [TrainedPart([p for p in module.parameters() if p.requires_grad])]
    return bound.build(params=_groups(parts or whole, bound, decay, spared))


def add_parts(
    optimizer: Optimizer, bound: BoundCall[Optimizer], weight_decay: float, parts: Sequence[TrainedPart]
) -> None:
    """Has an optimiser that :func:`build_optimizer` made hold further parts from now on."""
    for group in _groups(parts, bound, *_decays(bound, weight_decay)):
        optimizer.add_param_group(group)


def _groups(
    parts: Sequence[TrainedPart], bound: BoundCall[Optimizer], decay: dict[str, float], spared: dict[str, float]
) -> list[dict[str, Any]]:
    """The groups of parameters of parts: matrices and kernels of each, then its vectors."""
    groups: list[dict[str, Any]] = []
    for part in parts:
        rate = _rate(bound, part.rate)
        groups.append({"params": [p for p in part.parameters if p.ndim > 1], **decay, **rate})
        groups.append({"params": [p for p in part.parameters if p.ndim <= 1], **spared, **rate})
    return [group for group in groups if group["params"]]


def _build_own(bound: BoundCall[Optimizer], module: nn.Module, parts: Sequence[TrainedPart]) -> Optimizer:
    """One's own is called with all parameters; no part can have another rate, for who knows how they are grouped."""
    for part in parts:
        _rate(bound, part.rate)
    chosen = [p for part in parts for p in part.parameters] or [p for p in module.parameters() if p.requires_grad]
    return bound.build(params=chosen)


def check_optimizer(spec: object, weight_decay: float, schedule: str = "constant") -> None:
    """Refuses what :func:`build_optimizer` would, before there is a network, without the seconds of a first optimiser.

    :raises UsageError: also for a schedule under which the optimiser would not be itself.
    """
    bound = parse_optimizer(spec)
    if is_own(bound):
        _decays(bound, weight_decay)
        check_own(bound)
        return
    if bound.name == "ftrl" and not schedule.startswith("constant"):
        raise UsageError(
            f"ftrl works its weights out of all past gradients and the learning rate of the moment, so a schedule that "
            f"changes the rate would pull every weight with it; here it is schedule={schedule}. "
            "Write schedule=constant."
        )
    try:
        bound.build(params=[])
    except UsageError as error:
        # torch looks at the arguments first, and only then misses the weights.
        if "empty parameter list" not in str(error):
            raise
    _decays(bound, weight_decay)


def _rate(bound: BoundCall[Optimizer], rate: float | None) -> dict[str, float]:
    """The learning rate of a part, where it is not the optimiser's own."""
    if rate is None:
        return {}
    if "lr" not in bound.arguments:
        raise UsageError(f"optimizer {bound.name} takes no learning rate that could differ from part to part.")
    return {"lr": rate}


def _decays(bound: BoundCall[Optimizer], weight_decay: float) -> tuple[dict[str, float], dict[str, float]]:
    """What decay the matrices and the vectors take, where it is not the optimiser's own for both."""
    if "weight_decay" not in bound.arguments:
        if weight_decay and is_own(bound):
            raise UsageError(
                f"weight_decay is for optimisers known by a word, and {bound.arguments['name']} is given. Give the "
                "decay to that, as in optimizer=functools.partial(torch.optim.SGD, lr=0.1, weight_decay=1e-4)."
            )
        if weight_decay:
            raise UsageError(f"optimizer {bound.name} knows no weight decay; leave weight_decay out.")
        return {}, {}
    own, default = bound.arguments["weight_decay"], bound.entry.arguments["weight_decay"].default
    if own != default and weight_decay:
        raise UsageError(
            f"weight decay is given twice: weight_decay={weight_decay:g} spares norms and biases, "
            f"{bound.name}(weight_decay={own:g}) decays everything. Keep one of the two."
        )
    if own != default:
        return {}, {}
    return {"weight_decay": weight_decay or own}, {"weight_decay": 0.0}
