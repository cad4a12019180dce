"""Measurements kept in a file as they come, so that a benchmark that was interrupted goes on where it was."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Kept:
    """What was measured already, by a key; a line of JSON each.

    :param path: None to keep nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        self.found: dict[str, Any] = dict(json.loads(line) for line in lines)

    def get(self, key: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What is there under the key, or else what ``measure`` finds now."""
        if key not in self.found:
            self.found[key] = measure()
            if self.path is not None:
                with self.path.open("a") as file:
                    file.write(json.dumps([key, self.found[key]]) + "\n")
        found: dict[str, Any] = self.found[key]
        return found
