"""The step-by-step log of a run: JSON lines, appended while it trains."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cnnlab.core.errors import DataError
from cnnlab.core.files import APPENDING, open_regular, storage_errors
from cnnlab.runs.record import LIVE, json_value


class StepLog:
    """``live.jsonl`` of a run folder, held open.

    Each line reaches the system at once, so that whoever watches sees it, and is not waited for to reach the disk.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LIVE
        self._handle: int | None = None
        self._size = 0

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds one line.

        :raises StorageError: when it cannot be written; the lines before stay whole.
        """
        line = json.dumps(json_value(record), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        with storage_errors(self.path):
            handle = self._opened()
            try:
                _write_all(handle, line)
            except OSError:
                os.ftruncate(handle, self._size)
                raise
            self._size += len(line)

    def truncate(self, step: float = math.inf) -> None:
        """Drops the first record whose ``step`` is ``step`` or later and all after it, and a last line cut short."""
        self._drop_link()
        if not self.path.exists():
            return
        self.close()
        keep = 0
        with storage_errors(self.path):
            for record, end in _complete_lines(self.path):
                if record.get("step", -1) >= step:
                    break
                keep = end
            os.truncate(self.path, keep)

    def close(self) -> None:
        """Lets the file go; the next record opens it again."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _drop_link(self) -> None:
        """Removes a link in the place of the file: like all others of a run, what it leads to is left alone."""
        if self.path.is_symlink():
            self.path.unlink()

    def _opened(self) -> int:
        if self._handle is None:
            self._drop_link()
            # Whoever was killed in the middle of a line left it without its end, and the next would run into it.
            if not _ends_whole(self.path):
                self.truncate()
            self._handle = os.open(self.path, APPENDING, 0o666)
            self._size = os.fstat(self._handle).st_size
        return self._handle


def read_step_log(folder: Path) -> list[dict[str, Any]]:
    """The records written so far; a last line still being written is left out."""
    path = folder / LIVE
    try:
        return [record for record, _ in _complete_lines(path)] if path.exists() else []
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _ends_whole(path: Path) -> bool:
    if not path.exists() or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _complete_lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Each record with the offset at which its line ends, up to the first line that is not whole."""
    end = 0
    with open_regular(path) as file:
        for line in file:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                return
            if not line.endswith(b"\n") or not isinstance(record, dict):
                return
            if not isinstance(record.get("step", 0), int | float):
                return
            end += len(line)
            yield record, end


def _write_all(handle: int, content: bytes) -> None:
    # A nearly full disk takes a part of the line, and says that it is full when asked to take the rest.
    while content:
        content = content[os.write(handle, content) :]
