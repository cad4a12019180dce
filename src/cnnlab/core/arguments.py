"""The types that an argument of a spec may have, read off a function's annotations.

Understood: ``int``, ``float``, ``bool``, ``str``, ``Literal[...]``, ``X | Y``, ``None``, ``list[X]``,
``tuple[X, ...]``, ``tuple[X, Y]``, ``dict[str, X]``, ``Call`` (a nested spec), and
``Annotated[X, Range(...)]`` of these.
"""

import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cnnlab.core.errors import SpecError
from cnnlab.core.spec import Call, read_one


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``, ends included unless ``open_low`` or ``open_high``; None is no bound."""

    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, number: float) -> bool:
        above = self.low is None or number > self.low or (number == self.low and not self.open_low)
        below = self.high is None or number < self.high or (number == self.high and not self.open_high)
        return above and below

    def __str__(self) -> str:
        low = None if self.low is None else f"{'above' if self.open_low else 'at least'} {_shown(self.low)}"
        high = None if self.high is None else f"{'below' if self.open_high else 'at most'} {_shown(self.high)}"
        if low and high and not self.open_low and not self.open_high:
            return f"from {_shown(self.low)} to {_shown(self.high)}"
        return " and ".join(part for part in (low, high) if part)


Fraction = Annotated[float, Range(0, 1)]
"""A share or a probability: a number from 0 to 1."""
Positive = Annotated[float, Range(0, open_low=True)]
"""A number above 0."""
NonNegative = Annotated[float, Range(0)]
"""A number of at least 0."""
Count = Annotated[int, Range(1)]
"""A whole number of at least 1."""


def convert(value: Any, annotation: Any) -> Any:
    """``value`` as the annotation wants it: whole numbers become floats, lists tuples, text calls.

    :raises ValueError: when it does not fit; :func:`describe_type` says what would.
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return value
    if origin is Annotated:
        return _within(convert(value, inner[0]), inner[1:])
    if origin in (Union, types.UnionType):
        return _first_fit(value, inner)
    if origin is Literal:
        return _member(value, inner)
    if origin in (list, tuple):
        return _sequence(value, origin, inner)
    if origin is dict:
        return _mapping(value, inner[1])
    if annotation is Call:
        return _call(value)
    if annotation in (None, type(None)):
        return _instance(value, type(None))
    if annotation is float:
        return _finite(_instance(value, int | float))
    return _instance(value, annotation)


def describe_type(annotation: Any) -> str:
    """What an argument of this type takes, in words, such as ``a number from 0 to 1``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [str(note) for note in inner[1:] if isinstance(note, Range)]
        return " ".join([describe_type(inner[0]), *bounds])
    if origin in (Union, types.UnionType):
        return " or ".join(describe_type(part) for part in inner)
    if origin is Literal:
        return " or ".join(str(word) for word in inner)
    if origin in (list, tuple):
        kinds = dict.fromkeys(describe_type(part) for part in inner if part is not Ellipsis)
        count = f"{len(inner)} values" if origin is tuple and Ellipsis not in inner else "values"
        return f"a list of {count}, each {' or '.join(kinds)}"
    if origin is dict:
        return f"a mapping {{name: value, …}}, each value {describe_type(inner[1])}"
    return _NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


_NAMES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Call: "a spec such as name(key=value)",
    None: "none",
    type(None): "none",
    Any: "anything",
}


def _shown(bound: float | None) -> str:
    """A bound in full, where it is a whole number."""
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def _instance(value: Any, kind: Any) -> Any:
    is_flag = isinstance(value, bool)
    if not isinstance(value, kind) or (is_flag and kind is not bool):
        raise ValueError(value)
    return value


def _finite(value: int | float) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(value) from error
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _call(value: Any) -> Any:
    if not isinstance(value, str):
        return _instance(value, Call)
    try:
        return read_one(value, "an argument")
    except SpecError as error:
        raise ValueError(value) from error


def _within(value: Any, notes: Sequence[Any]) -> Any:
    for note in notes:
        if isinstance(note, Range) and value not in note:
            raise ValueError(value)
    return value


def _first_fit(value: Any, choices: Sequence[Any]) -> Any:
    for choice in choices:
        try:
            return convert(value, choice)
        except ValueError:
            continue
    raise ValueError(value)


def _member(value: Any, words: Sequence[Any]) -> Any:
    # The grammar reads none as nothing, also where it is one of the words to choose from.
    if value is None and "none" in words:
        return "none"
    for word in words:
        if word == value and isinstance(word, bool) == isinstance(value, bool):
            return word
    raise ValueError(value)


def _mapping(value: Any, inner: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(value)
    return {name: convert(value[name], inner) for name in sorted(value)}


def _sequence(value: Any, origin: type, inner: Sequence[Any]) -> Any:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(value)
    if origin is list or Ellipsis in inner:
        return tuple(convert(item, inner[0]) for item in value)
    if len(value) != len(inner):
        raise ValueError(value)
    return tuple(convert(item, kind) for item, kind in zip(value, inner, strict=True))
