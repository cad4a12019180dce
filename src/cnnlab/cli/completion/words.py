"""The words that shells complete, as ``words.json`` holds them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("words.json")


@dataclass(frozen=True)
class Candidate:
    """What may stand in the place of a word that is being typed.

    :param text: the whole word, without the quotes of a shell.
    :param about: what it is.
    :param is_final: whether the word ends there, and is not to be typed on.
    """

    text: str
    about: str = ""
    is_final: bool = True

    def after(self, before: str) -> "Candidate":
        """The same with something before it in the word."""
        return Candidate(before + self.text, self.about, self.is_final)


@dataclass(frozen=True)
class Argument:
    """An argument of a name in a spec; ``default`` is None where it must be given."""

    name: str
    what: str
    default: str | None
    choices: list[str]

    @property
    def about(self) -> str:
        """What it takes."""
        return f"{self.what} (needed)" if self.default is None else f"{self.what}, default {self.default}"


@cache
def words() -> Mapping[str, Any]:
    """All of them."""
    found: Mapping[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def names(kind: str) -> Iterator[tuple[str, str, bool]]:
    """The names of a kind: each with what it is, and whether it takes arguments."""
    for name, (about, *arguments) in words()["kinds"][kind].items():
        yield name, about, bool(arguments)


def arguments(kinds: tuple[str, ...], name: str) -> list[Argument]:
    """What a name of one of these kinds takes; empty where it is none."""
    for kind in kinds:
        if name in words()["kinds"][kind]:
            return [Argument(*words()["arguments"][place]) for place in words()["kinds"][kind][name][1:]]
    return []
