"""All that a tool over a model could leave changed, as plain facts that can be compared."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.backends import cudnn
from torch.nn.modules import module as module_hooks

from cnnlab.models.inference import TENSOR_HOOKS

_PLAIN = (bool, int, float, str, tuple, type(None))
_GLOBALS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "the grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "autocast": (lambda: torch.is_autocast_enabled("cpu"), lambda is_on: torch.set_autocast_enabled("cpu", is_on)),
    "the type of autocast": (
        lambda: torch.get_autocast_dtype("cpu"),
        lambda dtype: torch.set_autocast_dtype("cpu", dtype),
    ),
    "the choice of deterministic algorithms": (
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda choice: torch.use_deterministic_algorithms(choice[0], warn_only=choice[1]),
    ),
    "the choice of cudnn": (
        lambda: (cudnn.benchmark, cudnn.deterministic),
        lambda choice: _choose_of_cudnn(*choice),
    ),
    "the precision of matrix products": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "the default type": (torch.get_default_dtype, torch.set_default_dtype),
    "the number of threads": (torch.get_num_threads, torch.set_num_threads),
    "the detection of anomalies": (torch.is_anomaly_enabled, torch.set_anomaly_enabled),
    "torch's global generator": (torch.random.get_rng_state, torch.random.set_rng_state),
    "numpy's global generator": (np.random.get_state, np.random.set_state),
    "Python's global generator": (random.getstate, random.setstate),
}
"""What holds for the whole program: how it is read, and how it is put back."""


def model_state(model: nn.Module) -> dict[str, Any]:
    """Modes, parts, hooks and plain attributes of every module; values, gradients and flags of every tensor."""
    facts: dict[str, Any] = {}
    for name, module in model.named_modules():
        facts |= {f"{what} of {name or 'the classifier'}": fact for what, fact in _of_module(module)}
    for name, parameter in model.named_parameters():
        facts |= {f"{what} of {name}": fact for what, fact in _of_tensor(parameter)}
    for name, buffer in model.named_buffers():
        facts[f"the values of {name}"] = buffer.detach().clone()
    return facts


def input_state(pixels: Tensor) -> dict[str, Any]:
    """The values, the gradient and the flags of the images that a tool is given."""
    return {f"{what} of the images": fact for what, fact in _of_tensor(pixels)}


def global_state() -> dict[str, Any]:
    """Flags of torch that hold for all that comes after, and the state of every global generator of random numbers."""
    return {what: get() for what, (get, _) in _GLOBALS.items()} | {"the hooks on all modules": _global_hooks()}


@contextmanager
def global_state_kept() -> Iterator[None]:
    """A block after which these flags and generators are as before."""
    before = global_state()
    try:
        yield
    finally:
        for what, (_, put) in _GLOBALS.items():
            put(before[what])


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs, each in a few words."""
    lost = [f"{what} is gone" for what in before.keys() - after.keys()]
    new = [f"{what} is new" for what in after.keys() - before.keys()]
    both = (what for what in before if what in after)
    return [
        *lost,
        *new,
        *(_told(what, before[what], after[what]) for what in both if not same(before[what], after[what])),
    ]


def same(first: Any, second: Any) -> bool:
    """Whether two answers, made of tensors, arrays, mappings, lists and plain objects, are equal to the bit."""
    if type(first) is not type(second):
        return False
    if isinstance(first, Tensor):
        return _same_tensors(first, second)
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second, equal_nan=first.dtype.kind in "fc")
    if isinstance(first, Mapping):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if hasattr(first, "equals"):
        # Of pandas.
        return bool(first.equals(second))
    if isinstance(first, float):
        return first == second or (first != first and second != second)
    if not _compares(first) and hasattr(first, "__dict__"):
        return same(vars(first), vars(second))
    return _equal(first, second)


def _equal(first: Any, second: Any) -> bool:
    try:
        return bool(first == second)
    except (RuntimeError, ValueError):
        # Objects that hold tensors or arrays and compare them as such.
        return same(vars(first), vars(second))


def _compares(value: Any) -> bool:
    """Whether its class says when two of it are equal."""
    return any("__eq__" in vars(kind) for kind in type(value).__mro__[:-1])


def _choose_of_cudnn(benchmark: bool, deterministic: bool) -> None:
    cudnn.benchmark, cudnn.deterministic = benchmark, deterministic


def _same_tensors(first: Tensor, second: Tensor) -> bool:
    if first.dtype != second.dtype or first.shape != second.shape:
        return False
    equal = first == second
    return bool((equal | ((first != first) & (second != second))).all())


def _of_module(module: nn.Module) -> Iterator[tuple[str, Any]]:
    yield "the mode", "training" if module.training else "evaluation"
    yield "the parts", [(name, id(part)) for name, part in module.named_children()]
    yield "the kind", type(module)
    yield "what is known", sorted(vars(module))
    for name, value in vars(module).items():
        if "_hooks" in name and isinstance(value, dict):
            yield f"the {name.strip('_')}", [(key, id(hook)) for key, hook in value.items()]
        elif isinstance(value, _PLAIN) and name != "training":
            yield f"the attribute {name}", value


def _of_tensor(tensor: Tensor) -> Iterator[tuple[str, Any]]:
    yield "the identity", id(tensor)
    yield "the values", tensor.detach().clone()
    yield "requires_grad", tensor.requires_grad
    yield "the gradient", None if tensor.grad is None else tensor.grad.detach().clone()
    for kind in TENSOR_HOOKS:
        yield f"the {kind.strip('_')}", sorted(getattr(tensor, kind) or {})


def _global_hooks() -> list[tuple[str, int]]:
    hooks = {
        name: value for name, value in vars(module_hooks).items() if name.startswith("_global_") and "hooks" in name
    }
    return [(name, id(hook)) for name, value in hooks.items() if isinstance(value, dict) for hook in value.values()]


def _told(what: str, before: Any, after: Any) -> str:
    is_short = isinstance(before, bool | str) and isinstance(after, bool | str) and len(f"{before}{after}") < 40
    return f"{what} was {before} and is {after}" if is_short else f"{what} changed"
