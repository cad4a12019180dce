"""Measurements kept in a file as they come, so that a benchmark that was interrupted goes on where it was."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRIES = 3
"""Of a measurement that others on the machine disturb, after which it is taken as it is."""


class Kept:
    """What was measured already, by a key; a line of JSON each.

    :param path: None to keep nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        self.found: dict[str, Any] = dict(json.loads(line) for line in lines)
        self.taken_over = set[str]()
        """The keys asked for that were there from an earlier start."""

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
