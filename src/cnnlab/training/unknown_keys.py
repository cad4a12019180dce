"""What to type in the place of a key that a recipe has not, such as the argument of another library's function."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnlab.core.counterparts import explained_keys, flags, keys, values
from cnnlab.core.errors import SpecError, UsageError, in_quotes, letters, suggestion
from cnnlab.core.spec import format_value
from cnnlab.training.overrides import override, parse_pairs
from cnnlab.training.spec_keys import SPECS

_EXAMPLE = re.compile(r"\{(.+)\}")
_DATA = "mnist"
"""Stands for the data of a recipe that has none yet."""
_IN_PYTHON = {"--quiet": "progress=False", "--again": "again=True"}


def remedy_for_key(
    key: str, content: Mapping[str, Any], reader: "RecipeReader", *, in_file: bool = False, also: Collection[str] = ()
) -> str:
    """What is to be said after «a recipe has no key …»: how the same is said here, or what is spelt alike.

    :param content: all that was given, the key with its value among it.
    :param in_file: whether the key stands in a file, and not on a command line or in Python.
    :param also: keys that may be meant besides those of the recipe.
    """
    why = explained_keys.best(key)
    if why is not None:
        return f": {why}."
    flag = flags.best(key)
    if flag is not None:
        option, _, value = flag.partition(" ")
        python = _IN_PYTHON.get(option) or f"{option.removeprefix('--')}={in_quotes(value)}"
        return f": it is about the invocation. Write {flag} on the command line, or {python} in Python."
    line = line_for_key(key, content, reader)
    if line is None:
        return f". {suggestion(key, {*reader.valid, *also})}"
    # What is within a phase stands in a list, where the keys of a command line do not reach so easily.
    return line.told(in_file=in_file or "data" not in reader.valid)


@dataclass(frozen=True)
class RecipeReader:
    """How a recipe is read, to try out what is to be told.

    :param read: makes a recipe of a mapping, with keys put over it, or refuses it.
    :param valid: the keys that there are to be pointed to.
    :param defaults: the specs, in short, that stand where none is given.
    """

    read: Callable[..., Any]
    valid: Collection[str]
    defaults: Mapping[str, str]

    def accepts(self, base: Mapping[str, Any], pairs: Mapping[str, Any]) -> bool:
        """Whether there is a recipe with these keys."""
        return self.refusal(base, pairs) is None

    def refusal(self, base: Mapping[str, Any], pairs: Mapping[str, Any]) -> UsageError | None:
        """Why there is no such recipe; None where there is."""
        try:
            self.read({"data": _DATA, **base}, **pairs)
        except UsageError as error:
            return error
        return None


@dataclass(frozen=True)
class Line:
    """A line of a recipe.

    :param path: its key, or the argument of a spec, such as ``optimizer.lr``.
    :param value: what it is set to there.
    :param whole: the value of the key with that in it.
    """

    path: str
    value: Any
    whole: Any

    @property
    def key(self) -> str:
        """The key of the recipe."""
        return self.path.partition(".")[0]

    @property
    def in_yaml(self) -> str:
        """The value of the key as a file has it."""
        text = self.whole if isinstance(self.whole, str) else format_value(self.whole)
        return f'"{text}"' if isinstance(self.whole, str) and "," in text else text

    def told(self, *, in_file: bool) -> str:
        """The end of a message that says what to write."""
        where = "" if self.key == self.path else f": it is an argument of the {self.key}"
        if in_file:
            return f"{where}. Write {self.key}: {self.in_yaml}"
        if isinstance(self.whole, list):
            return f"{where}. Write {self.key}={self.in_yaml}, in a shell {self.key}={_typed(self.whole)}"
        line = f"{where}. Write {self.key}={_typed(self.whole)}"
        return f"{line}, or on the command line {self.path}={_typed(self.value)}" if where else line


def line_for_key(key: str, content: Mapping[str, Any], reader: RecipeReader) -> Line | None:
    """How what was given under a key of another library is said in a recipe; None where that is not known."""
    base = _sound(content, reader)
    alike = [own for own in reader.valid if letters(own) == letters(key)]
    for text in _texts([*alike, *keys.of(key)], content.get(key)):
        try:
            pairs = parse_pairs([text])
        except UsageError:
            continue
        (path, value), root = next(iter(pairs.items())), text.partition("=")[0].partition(".")[0]
        refusal = reader.refusal(base, pairs) if root in reader.valid else UsageError()
        if isinstance(refusal, SpecError) and refusal.corrected and (path == root or _names_another(refusal)):
            # What was given is itself said as elsewhere, or is for another spec of the key.
            path, value = root, refusal.corrected
            refusal = reader.refusal(base, {path: value})
        if refusal is None:
            return Line(path, value, override(base, {path: value}, reader.defaults)[root])
    return None


def _names_another(refusal: SpecError) -> bool:
    """Whether what is told to write begins with another name than what was refused."""
    return str(refusal.corrected).partition("(")[0] != str(refusal.text).partition("(")[0]


def _texts(meant: Sequence[str], value: object) -> Iterator[str]:
    """The lines that may be meant: each with the given value, with our word for that, and as it stands in the table."""
    for line in (line for ours in meant for line in ours.split()):
        if "=" not in line:
            yield f"{line}={_text(value)}"
            continue
        example = _EXAMPLE.search(line)
        if example is None:
            yield line
            continue
        words = [_text(value), *values.of(value)]
        # Any text is taken for what epochs are judged by, until there is data; a word that is known goes before.
        words = words[::-1] if line.startswith("select=") else words
        for part in [*words, example[1]]:
            if part is not None:
                yield f"{line[: example.start()]}{part}{line[example.end() :]}"


def _text(value: object) -> str | None:
    """A value as it is typed; None of what no line can hold."""
    try:
        return value if isinstance(value, str) else format_value(value)
    except TypeError:
        return None


def _sound(content: Mapping[str, Any], reader: RecipeReader) -> dict[str, Any]:
    """As much of what was given as makes a recipe."""
    known: dict[str, Any] = {key: value for key, value in content.items() if key in reader.valid}
    for keys_taken in (list(known), [key for key in SPECS if key in known], ["data"] if "data" in known else []):
        base = {key: known[key] for key in keys_taken}
        if reader.accepts(base, {}):
            return base
    return {}


def _typed(value: Any) -> str:
    """A value after ``key=`` as both a shell and Python read it."""
    if isinstance(value, bool | int | float):
        return repr(value)
    return in_quotes(value if isinstance(value, str) else format_value(value))
