"""Measurements kept in a file as they come, so that a benchmark that was interrupted goes on where it was."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine

TRIES = 3
"""Of a measurement that others on the machine disturb, after which it is taken as it is."""


class Kept:
    """What was measured already, by a key; a line of JSON each, behind a first one that says on what and of what.

    A file of another processor, another PyTorch or another state of cnnlab's code is refused, and ends the benchmark:
    its measurements would pass for those of this one.

    :param path: None to keep nothing.
    :param any_code: whether the code may be another, where that is what is measured anew.
    """

    def __init__(self, path: Path | None, *, any_code: bool = False) -> None:
        self.path = path
        self.found: dict[str, Any] = {}
        self.taken_over = set[str]()
        """The keys asked for that were there from an earlier start."""
        if path is None:
            return
        here = made_of()
        if not path.exists() or not path.stat().st_size:
            path.write_text(json.dumps(here) + "\n")
        first, *lines = path.read_text().splitlines()
        told = json.loads(first)
        # Files of before there was such a line begin with a measurement.
        there = told if isinstance(told, dict) else {}
        other = [name for name in here if there.get(name) != here[name] and not (any_code and name == "code")]
        if other:
            said = "; ".join(f"{name} {there.get(name, 'unknown')}, and here {here[name]}" for name in other)
            sys.exit(f"{path} holds measurements that were made otherwise ({said}). Name another file.")
        self.found = dict(map(json.loads, lines))

    def get(
        self,
        key: str,
        measure: Callable[[], dict[str, Any]],
        is_sound: Callable[[dict[str, Any]], bool] = lambda found: True,
    ) -> dict[str, Any]:
        """What is there under the key, or else what ``measure`` finds now.

        :param is_sound: what is there, or is found now, and is not so, is measured again; after so many tries as
            :data:`TRIES` it is taken as it is.
        """
        if key in self.found and is_sound(self.found[key]):
            self.taken_over.add(key)
        for _ in range(TRIES):
            if key in self.found and is_sound(self.found[key]):
                break
            self.found[key] = measure()
            if self.path is not None:
                with self.path.open("a") as file:
                    file.write(json.dumps([key, self.found[key]]) + "\n")
        found: dict[str, Any] = self.found[key]
        return found


def made_of() -> dict[str, Any]:
    """What measurements of one file have in common: processor, cores, version of PyTorch, digest of cnnlab's source."""
    from cnnlab.runs.environment import code_digest

    about = machine.describe()
    facts = {key: about[key] for key in ("processor", "family", "cores")}
    return facts | {"torch": machine.versions("torch").get("torch"), "code": code_digest()[:16]}
