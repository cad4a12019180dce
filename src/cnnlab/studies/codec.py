"""Frozen dataclasses to plain JSON and back, by their type hints."""

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Union

from cnnlab.runs.record import json_value


def to_plain(value: Any) -> Any:
    """``value`` in the types of JSON; a number that is not finite becomes null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    return json_value(value)


def from_plain(kind: Any, stored: Any) -> Any:
    """What :func:`to_plain` made of a value of the type ``kind``.

    Understood are dataclasses, tuples of one type, mappings, and unions with None; anything else is taken as it is.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        others = [part for part in inner if part is not type(None)]
        return None if stored is None else from_plain(others[0], stored) if len(others) == 1 else stored
    if is_dataclass(kind) and isinstance(kind, type):
        return kind(**{name: from_plain(hint, stored[name]) for name, hint in _hints(kind) if name in stored})
    if origin is tuple:
        return tuple(from_plain(inner[0], item) for item in stored)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: from_plain(inner[1], item) for key, item in stored.items()}
    return stored


@cache
def _hints(kind: type) -> tuple[tuple[str, Any], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((item.name, hints[item.name]) for item in fields(kind))
