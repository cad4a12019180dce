"""The files of a folder on the disk."""

import os
from collections import Counter
from pathlib import Path

from cnnlab.core.errors import DataError
from cnnlab.core.files import open_regular
from cnnlab.data.formats.file_names import is_leftover, printable
from cnnlab.data.formats.members import Members, check_image_size

_MOST_WAYS = 100


class FolderMembers(Members):
    """The files of a folder on the disk; links in it are followed."""

    def __init__(self, path: Path) -> None:
        files, folders = walk(path)
        shown = [printable(name) for name in files]
        # Of most names nothing has to be kept twice, and there may be a million.
        self._names = {shown: name for shown, name in zip(shown, files, strict=True) if shown != name}
        # Paths of a million files are put together as text: pathlib takes several times as long.
        self._root = "" if path == Path() else str(path)
        super().__init__(path, dict.fromkeys(shown), map(printable, folders))

    def read(self, name: str) -> bytes:
        """The bytes of the file."""
        return read_file(self.file(name))

    def file(self, name: str) -> Path:
        """The file itself."""
        return Path(self.place(name))

    def place(self, name: str) -> str:
        """The path of the file."""
        return os.path.join(self._root, self._names.get(name, name)).replace("/", os.sep)


def walk(root: Path) -> tuple[list[str], list[str]]:
    """Names of all files and folders under a folder, but for leftovers; links are followed, though not in circles.

    :raises DataError: when a folder cannot be listed.
    """
    files: list[str] = []
    folders: list[str] = []
    ways: Counter[tuple[int, int]] = Counter()
    waiting: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while waiting:
        relative, above = waiting.pop()
        here = root / relative
        try:
            with os.scandir(here) as found:
                entries = [(entry.name, entry.is_dir()) for entry in found if not is_leftover(entry.name)]
            status = here.stat()
        except OSError as error:
            raise DataError(f"the folder {here} cannot be listed: {error.strerror}.") from error
        place = (status.st_dev, status.st_ino)
        if place in above:
            continue
        ways[place] += 1
        # Links that lead to one folder by several ways, and that to another, multiply without end.
        if ways[place] > _MOST_WAYS:
            raise DataError(f"over {_MOST_WAYS} links lead to the folder {here}. Remove some.")
        folders += [relative] if relative else []
        for name, is_folder in entries:
            path = f"{relative}/{name}" if relative else name
            if is_folder:
                waiting.append((path, above | {place}))
            else:
                files.append(path)
    return sorted(files), sorted(folders)


def read_file(path: Path) -> bytes:
    """The bytes of a picture's file.

    :raises DataError: for one that is too large.
    :raises OSError: when it cannot be read, or is no file but a pipe or a device.
    """
    with open_regular(path) as file:
        check_image_size(os.fstat(file.fileno()).st_size)
        return file.read()
