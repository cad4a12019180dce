"""Reaching into a recipe by dotted keys: ``data.size``, ``augment[1].p``, ``model.name``."""

import re
from collections.abc import Mapping
from typing import Any

from cnnlab.core import spec
from cnnlab.core.errors import SpecError

MISSING = object()
_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")


def lookup(recipe: Mapping[str, Any], key: str) -> Any:
    """What a recipe holds under a dotted key, or :data:`MISSING`.

    Where the way leads into a spec string, it is read: ``model.dropout`` of ``vgg-like(dropout=0.4)`` is 0.4 and
    ``model.name`` is ``vgg-like``; a place in square brackets counts the calls of a pipeline, or a list, from 0.
    """
    value: Any = recipe
    for place, name in _STEP.findall(key):
        value = _item(value, int(place)) if place else _member(value, name)
        if value is MISSING:
            return MISSING
    return str(value) if isinstance(value, spec.Call) else value


def _item(value: Any, place: int) -> Any:
    items = value if isinstance(value, list | tuple) else _calls(value)
    return items[place] if place < len(items) else MISSING


def _member(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name, MISSING)
    calls = _calls(value)
    if len(calls) != 1:
        return MISSING
    return calls[0].name if name == "name" else calls[0].kwargs.get(name, MISSING)


def _calls(value: Any) -> tuple[spec.Call, ...]:
    if not isinstance(value, str | spec.Call):
        return ()
    try:
        return spec.read(value)
    except SpecError:
        return ()
