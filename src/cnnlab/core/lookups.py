"""What an answer depended on outside the program, noted by those who looked for files and read them.

Whoever keeps an answer keeps its :class:`Lookups` with it, and can tell later whether the same would come out again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnnlab.core.digests import file_digest


@dataclass
class Lookups:
    """What was looked at while an answer was worked out.

    :param looked: each place where something was looked for, and whether it was there.
    :param files: each file that was read, with the digest of its content.
    :param data: the files and folders of each data set, with the digest of all their content.
    """

    looked: dict[str, bool] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    data: list[tuple[list[str], str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"looked": self.looked, "files": self.files, "data": self.data}


_noted: ContextVar[Lookups | None] = ContextVar("lookups", default=None)


@contextmanager
def noting_lookups() -> Iterator[Lookups]:
    """A block whose lookups are noted."""
    lookups = Lookups()
    token = _noted.set(lookups)
    try:
        yield lookups
    finally:
        _noted.reset(token)


def noted_lookups() -> Lookups | None:
    """Where lookups are to be noted just now; None where nobody asked."""
    return _noted.get()


def is_there(path: Path) -> bool:
    """Whether there is a file or folder of this path, noted."""
    found = path.exists()
    lookups = _noted.get()
    if lookups is not None:
        lookups.looked[str(path)] = found
    return found


def note_file(path: Path) -> None:
    """Notes a file that is about to be read."""
    lookups = _noted.get()
    if lookups is not None:
        lookups.files[str(path)] = file_digest(path)
