"""Spec strings: ``name(arg, key=value)``, several joined by ``|``.

One small grammar for data, models, layers, augmentations, optimisers, schedules, objectives and attacks::

    pipeline := call ("|" call)*
    call     := name [ "(" [argument ("," argument)*] ")" ]
    argument := [key "="] value
    value    := number | "true" | "false" | "none" | "[" values "]" | "{" key ":" value, … "}" | word | "quoted" | call
    number   := arithmetic (+ - * /) between numbers only, such as 8/255

A bare word starts with a letter, ``.``, ``/`` or ``~`` and runs to the next ``,`` ``|``, bracket or space.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, TypeAlias, TypeVar

from cnnlab.core.errors import SpecError, UsageError

T = TypeVar("T")
Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | Call | None"

_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WORD = re.compile(r"[A-Za-z./~][^,()\[\]{}|\s\"']*")
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*=\s*")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)\s*:\s*")
_SPACE = re.compile(r"\s*")
_LITERALS: dict[str, bool | None] = {"true": True, "false": False, "none": None, "null": None}
_NOTHING = {"", "none", "null"}
_DEEPEST = 50
_LONGEST = 100_000
"""Letters of a text, which are some thousand layers; beyond, what it describes would take hours to make."""
_MOST_DIGITS = 18
_TOO_LARGE = 1e300


@dataclass(frozen=True)
class Call:
    """One ``name(arg, key=value)``, as written: nothing is known yet of what the name takes.

    ``text``, where it stands in it (``start`` to ``end``) and ``places`` (argument name or position to index in
    ``text``) serve messages and do not count in comparison.
    """

    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = field(default=None, compare=False, repr=False)
    start: int | None = field(default=None, compare=False, repr=False)
    places: Mapping[str | int, int] = field(default_factory=dict, compare=False, repr=False)
    end: int | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        parts = [format_value(v) for v in self.args]
        parts += [f"{k}={format_value(v)}" for k, v in self.kwargs.items()]
        return f"{self.name}({', '.join(parts)})" if parts else self.name

    def __hash__(self) -> int:
        # Equal calls may differ in the order of their arguments, and in 1 for 1.0.
        return hash((self.name, len(self.args), frozenset(self.kwargs)))

    def error(self, message: str, argument: str | int | None = None) -> SpecError:
        """A :class:`SpecError` that points at this call, or at one of its arguments."""
        place = self.start if argument is None else self.places.get(argument, self.start)
        return SpecError(message, self.text, place)

    def exchanged(self, other: str) -> str:
        """The whole text with other words in the place of this call."""
        if self.text is None or self.start is None:
            return other
        return f"{self.text[: self.start]}{other}{self.text[self.end :]}"


class ParsedSpec(str, Generic[T]):
    """A spec in its canonical form, with what it was parsed into.

    What reads it as text need not know: it compares, prints and is stored as its text.
    """

    parsed: T

    def __new__(cls, text: str, parsed: T) -> "ParsedSpec[T]":
        """The text with what it means."""
        spec = super().__new__(cls, text)
        spec.parsed = parsed
        return spec

    def __getnewargs__(self) -> tuple[str, T]:  # type: ignore[override]
        return str(self), self.parsed

    @property
    def name(self) -> str:
        """The name that it begins with."""
        return re.split(r"[(|]", self, maxsplit=1)[0]


@lru_cache(maxsize=4096)
def parse(text: str) -> tuple[Call, ...]:
    """The calls of a pipeline, in order; an empty string, ``none`` and ``null`` are the empty pipeline.

    :raises SpecError: with the place, when the text does not follow the grammar.
    """
    if text.strip().lower() in _NOTHING:
        return ()
    return _Parser(text).pipeline()


def read(value: object) -> tuple[Call, ...]:
    """The calls meant by whatever a recipe holds: a string, a ``{name: …}`` mapping, a call, or a list of these."""
    if value is None:
        return ()
    if isinstance(value, Call):
        return (value,)
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, Mapping):
        return (_from_mapping(value),)
    if isinstance(value, Sequence):
        return tuple(call for part in value for call in read(part))
    raise SpecError(f"{value!r} is not a spec: write a string such as name(key=value), or a mapping with a name.")


def read_one(value: object, what: str) -> Call:
    """The single call meant by ``value``; ``what`` names the thing in the message when it is none or several."""
    calls = read(value)
    if len(calls) != 1:
        found = (
            f"{len(calls)} joined by |. Leave one"
            if calls
            else "nothing. Write one; none and an empty word are no name"
        )
        raise SpecError(f"{what} takes exactly one name(…), and got {found}.")
    return calls[0]


def read_value(text: str) -> Value:
    """One value of the grammar, as it may stand on the right of a ``key=``."""
    parser = _Parser(text)
    value = parser.value(0)
    parser.end()
    return value


def read_values(text: str) -> list[Value]:
    """Values of the grammar that commas separate, as in a list without its brackets."""
    return _Parser(text).values()


def format_value(value: object) -> str:
    """The text that parses back to ``value``."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Call):
        # Without its parentheses a call would read back as a word.
        return str(value) if value.args or value.kwargs else f"{value.name}()"
    if isinstance(value, str):
        is_taken = value.lower() in _LITERALS or _KEY.match(value) or _NUMBER.match(value)
        return value if _WORD.fullmatch(value) and not is_taken else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping) and all(_NAME.fullmatch(f"{key}:") for key in value):
        return f"{{{', '.join(f'{key}: {format_value(v)}' for key, v in value.items())}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(format_value(v) for v in value)}]"
    raise TypeError(f"no spec string can hold {value!r}")


def format_calls(calls: Sequence[Call]) -> str:
    """The pipeline as text; the empty pipeline is ``none``."""
    return "|".join(map(str, calls)) or "none"


def _from_mapping(mapping: Mapping[Any, Any]) -> Call:
    rest = dict(mapping)
    name = rest.pop("name", None)
    if not isinstance(name, str):
        raise SpecError(f"a mapping that stands for a spec needs a name, as in {{name: vgg-like}}; got {mapping!r}.")
    return Call(name, (), {str(k): _mapped_value(v) for k, v in rest.items()})


def _mapped_value(value: object) -> object:
    if isinstance(value, Mapping):
        is_call = "name" in value
        return _from_mapping(value) if is_call else {str(key): _mapped_value(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped_value(v) for v in value]
    is_nothing = isinstance(value, str) and value.strip().lower() in _NOTHING
    return None if is_nothing else value


class _Parser:
    """Recursive descent over one string; ``at`` is the next unread character."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        if len(text) > _LONGEST:
            raise self.fail(f"this has {len(text):,} letters, and {_LONGEST:,} are read at most")
        self.skip()

    def fail(self, message: str, position: int | None = None) -> SpecError:
        return SpecError(message, self.text, self.at if position is None else position)

    def skip(self) -> None:
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]

    def take(self, symbol: str) -> bool:
        if not self.text.startswith(symbol, self.at):
            return False
        self.at += len(symbol)
        self.skip()
        return True

    def end(self) -> None:
        if self.at < len(self.text):
            raise self.fail(f"{self.text[self.at]!r} is not expected here; quote a value that holds such characters")

    def pipeline(self) -> tuple[Call, ...]:
        calls = [self.call(0)]
        while self.take("|"):
            calls.append(self.call(0))
        self.end()
        return tuple(calls)

    def call(self, depth: int) -> Call:
        match = _WORD.match(self.text, self.at)
        if match is None:
            raise self.fail("a name is expected here")
        start, self.at = self.at, match.end()
        if not self.text.startswith("(", self.at):
            self.skip()
            return Call(match.group(), text=self.text, start=start, end=match.end())
        return self.arguments(match.group(), start, depth + 1)

    def arguments(self, name: str, start: int, depth: int) -> Call:
        if depth > _DEEPEST:
            raise self.fail(f"calls are nested deeper than {_DEEPEST}")
        opening = self.at
        self.take("(")
        args: list[Value] = []
        kwargs: dict[str, Value] = {}
        places: dict[str | int, int] = {}
        while not self.take(")"):
            self.separator(opening, ")", first=not places)
            if self.take(")"):
                break
            self.argument(args, kwargs, places, depth)
        return Call(name, tuple(args), kwargs, self.text, start, places, self.at)

    def argument(self, args: list[Value], kwargs: dict[str, Value], places: dict[str | int, int], depth: int) -> None:
        place, key = self.at, _KEY.match(self.text, self.at)
        if key is None:
            if kwargs:
                raise self.fail("an argument without a name cannot follow one with a name")
            places[len(args)] = place
            args.append(self.value(depth))
            return
        name, self.at = key.group(1), key.end()
        if name in kwargs:
            raise self.fail(f"{name} is given twice", place)
        places[name] = place
        kwargs[name] = self.value(depth)

    def separator(self, opening: int, closing: str, *, first: bool) -> None:
        if self.at >= len(self.text):
            raise self.fail(f"this {self.text[opening]!r} is never closed by {closing!r}", opening)
        if not first and not self.take(","):
            raise self.fail(f"',' or {closing!r} is expected here")

    def value(self, depth: int) -> Value:
        if self.at >= len(self.text):
            raise self.fail("a value is expected here")
        head = self.text[self.at]
        if head == "[":
            return self.items(depth + 1)
        if head == "{":
            return self.mapping(depth + 1)
        if head in "\"'":
            return self.quoted(head)
        if head.isdigit() or head in "+-" or _NUMBER.match(self.text, self.at):
            return self.sum()
        match = _WORD.match(self.text, self.at)
        if match is None:
            raise self.fail('a value is expected here: a number, true, false, none, a word, [a list] or "text"')
        if self.text.startswith("(", match.end()):
            start, self.at = self.at, match.end()
            return self.arguments(match.group(), start, depth + 1)
        self.at = match.end()
        self.skip()
        word = match.group()
        return _LITERALS.get(word.lower(), word)

    def items(self, depth: int) -> list[Value]:
        if depth > _DEEPEST:
            raise self.fail(f"lists are nested deeper than {_DEEPEST}")
        opening = self.at
        values: list[Value] = []
        self.take("[")
        while not self.take("]"):
            self.separator(opening, "]", first=not values)
            if self.take("]"):
                break
            values.append(self.value(depth))
        return values

    def values(self) -> list[Value]:
        found: list[Value] = []
        while self.at < len(self.text):
            if found and not self.take(","):
                raise self.fail(f"{self.text[self.at]!r} is not expected here; several are separated by commas")
            if self.at < len(self.text):
                found.append(self.value(0))
        return found

    def mapping(self, depth: int) -> dict[str, Value]:
        if depth > _DEEPEST:
            raise self.fail(f"mappings are nested deeper than {_DEEPEST}")
        opening = self.at
        values: dict[str, Value] = {}
        self.take("{")
        while not self.take("}"):
            self.separator(opening, "}", first=not values)
            if self.take("}"):
                break
            key = _NAME.match(self.text, self.at)
            if key is None or key.group(1) in values:
                raise self.fail("a name that is not there yet and a colon are expected here, as in {train: photos}")
            self.at = key.end()
            values[key.group(1)] = self.value(depth)
        return values

    def quoted(self, quote: str) -> str:
        pattern = re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL)
        match = pattern.match(self.text, self.at)
        if match is None:
            raise self.fail("this quote is never closed")
        body = match.group(1) if quote == '"' else match.group(1).replace("\\'", "'").replace('"', '\\"')
        try:
            text: str = json.loads(f'"{body}"', strict=False)
        except ValueError as error:
            raise self.fail("this text holds a backslash that means nothing; write \\\\ for one") from error
        self.at = match.end()
        self.skip()
        return text

    def sum(self) -> int | float:
        total = self.product()
        while True:
            if self.take("+"):
                total = total + self.product()
            elif self.take("-"):
                total = total - self.product()
            else:
                return self.finite(total)

    def product(self) -> int | float:
        result = self.signed()
        while True:
            place = self.at
            if self.take("*"):
                result = self.finite(result * self.signed())
            elif self.take("/"):
                divisor = self.signed()
                if divisor == 0:
                    raise self.fail("division by zero", place)
                result = result / divisor
            else:
                return result

    def signed(self) -> int | float:
        sign = 1
        while (minus := self.take("-")) or self.take("+"):
            sign = -sign if minus else sign
        return sign * self.number()

    def number(self) -> int | float:
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            raise self.fail("a number is expected here; arithmetic is between numbers only")
        place, self.at = self.at, match.end()
        following = self.text[self.at : self.at + 1]
        if following.isalnum() or following in {"_", "."}:
            raise self.fail("a word cannot start with a digit; quote it", place)
        self.skip()
        digits = match.group()
        whole = digits.isdigit() and len(digits) <= _MOST_DIGITS
        return int(digits) if whole else self.finite(float(digits))

    def finite(self, number: int | float) -> int | float:
        if not abs(number) < _TOO_LARGE:
            raise self.fail("this number is too large to be held")
        return number if abs(number) < 10**_MOST_DIGITS else float(number)


def split_pairs(words: Sequence[str], example: str) -> dict[str, str]:
    """``key=value`` words of a command line, the values as they were typed.

    :raises UsageError: for a word without ``=``, with the example, and for a key that is given twice.
    """
    pairs: dict[str, str] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key or key != key.strip():
            raise UsageError(f"{word!r} is not key=value, such as {example}.")
        if key in pairs:
            raise UsageError(f"{key} is given twice.")
        pairs[key] = text
    return pairs
