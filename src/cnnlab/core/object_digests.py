"""Digests of functions, classes and objects of one's own, of source and of what they hold, in any process alike."""

import hashlib
import inspect
import types
from collections.abc import Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnlab.core.digests import digest

_INSTALLED = {"site-packages", "dist-packages"}
_DIGITS = 16


def object_digests(thing: Any) -> tuple[str, str]:
    """The digest of all that a thing is, and that of its source alone.

    Of what comes from an installed package the name stands for the source. A function counts with its defaults and
    with what it holds of the functions around it, an object with its attributes, a tensor with its numbers.
    """
    return digest([_described(thing, {})])[:_DIGITS], digest([_source(thing)])[:_DIGITS]


def source_of(thing: Any) -> str:
    """The source of a function or a class, where that can be had; else its name."""
    module = inspect.getmodule(thing)
    name = f"{getattr(thing, '__module__', '')}:{getattr(thing, '__qualname__', type(thing).__qualname__)}"
    if module is not None and _INSTALLED & set(Path(getattr(module, "__file__", None) or "").parts):
        return name
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        return name


def _source(thing: Any) -> str:
    while isinstance(thing, partial):
        thing = thing.func
    return source_of(thing if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing))


def _described(value: Any, seen: dict[int, Any]) -> Any:
    """A plain form of a value that is the same in every process; parts met before are not gone into again.

    :param seen: what was gone into, by identity; kept alive, so that no other takes its place.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | complex | bytes | Enum | torch.dtype | torch.device | inspect.Signature):
        return repr(value)
    if isinstance(value, torch.Tensor | np.ndarray):
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
        return [str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
    if id(value) in seen:
        return "again"
    seen[id(value)] = value
    if isinstance(value, Mapping):
        return sorted([str(key), _described(part, seen)] for key, part in value.items())
    if isinstance(value, list | tuple):
        return [_described(part, seen) for part in value]
    if isinstance(value, set | frozenset):
        return sorted(str(part) for part in value)
    if isinstance(value, partial):
        return [_described(part, seen) for part in (value.func, value.args, value.keywords)]
    if isinstance(value, types.MethodType):
        return [source_of(value.__func__), _described(value.__self__, seen)]
    if isinstance(value, types.FunctionType):
        return [source_of(value), *(_described(part, seen) for part in _held(value))]
    if inspect.isclass(value) or inspect.isroutine(value):
        return source_of(value)
    return [source_of(type(value)), _described(getattr(value, "__dict__", {}), seen)]


def _held(function: types.FunctionType) -> tuple[Any, ...]:
    """What a function is made of besides its source."""
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    return function.__defaults__, function.__kwdefaults__, cells


def _is_filled(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True
