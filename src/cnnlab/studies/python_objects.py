"""Objects in a study that is given in Python: a network, an optimiser or a loss of one's own, in its base or varied."""

import pickle
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cnnlab.core.given_objects import given_calls, object_name, recall, stand_in
from cnnlab.core.spec import Call
from cnnlab.training.python_objects import is_plain, spec_for_object, specs_for_objects

Parcel = tuple[Call, bytes]
"""An object for a worker: the call that stands for it, and its pickle, which goes through a pipe, never into a file."""

_KEYS = ("model", "optimizer", "objective")
_SEARCHES = ("random", "tpe")


def without_objects(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a study with specs in place of objects; values of an axis that are objects are called by name.

    :raises UsageError: for objects that can be nothing of the kind.
    """
    result = dict(content)
    if isinstance(content.get("base"), Mapping):
        result["base"] = specs_for_objects(content["base"])
    if isinstance(content.get("vary"), Mapping):
        base = result.get("base") or {}
        names = not str(content.get("design", "grid")).startswith(_SEARCHES)
        result["vary"] = {str(a): _values(str(a), values, base, names) for a, values in content["vary"].items()}
    return result


def _values(axis: str, values: Any, base: Mapping[str, Any], has_names: bool) -> Any:
    if isinstance(values, Mapping):
        return {label: _value(axis, value, base) for label, value in values.items()}
    if isinstance(values, list | tuple) and axis in _KEYS and not all(map(is_plain, values)):
        named = [(_label(value), spec_for_object(axis, value)) for value in values]
        # What is searched for has a list to choose from, and no names.
        return dict(named) if has_names and len(dict(named)) == len(named) else [spec for _, spec in named]
    return values


def _value(axis: str, value: Any, base: Mapping[str, Any]) -> Any:
    if not isinstance(value, Mapping) or "name" in value:
        return spec_for_object(axis, value)
    # A loss or metrics of its own go with the objective of the base.
    return specs_for_objects(value, base if "data" in base else None)


def _label(value: Any) -> str:
    return value if isinstance(value, str) else object_name(value)


def parcels(*contents: Any, dump: Callable[[Any], bytes] | None = None) -> list[Parcel] | None:
    """The objects that specs in some mappings stand for, made ready for other processes; None where one cannot be.

    That is so of what is defined in a notebook or made by a lambda: a process of its own has no such code.

    :param dump: pickles in place of Python's own, with the code of what is defined there.
    """
    has_script = dump is not None or getattr(sys.modules.get("__main__"), "__file__", None) is not None
    packed = []
    for call in dict.fromkeys(call for text in _texts(contents) for call in given_calls(text)):
        try:
            content = (dump or pickle.dumps)(recall(call)[0])
        except Exception:  # whatever an object does that is not made for it
            return None
        if b"__main__" in content and not has_script:
            return None
        packed.append((call, content))
    return packed


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def unpack(sent: Iterable[Parcel]) -> None:
    """Has this process know the objects that were sent to it."""
    for call, content in sent:
        stand_in(call, pickle.loads(content))
