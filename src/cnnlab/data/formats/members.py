"""Named files in a folder or an archive."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from cnnlab.core.limits import check_size
from cnnlab.data.formats.file_names import folders_of, is_leftover

MOST_BYTES = 512 << 20
"""Of one picture."""


def check_image_size(size: int) -> None:
    """Refuses a file that is too large to be a picture.

    :raises DataError: with how to allow it.
    """
    check_size(size, MOST_BYTES, "it")


class Members(ABC):
    """Named files. Names have forward slashes and are relative; what systems leave behind is passed over.

    :param path: the folder or archive.
    :param names: of the files, in rising order.
    :param folders: of the folders, also of empty ones.
    :param warnings: what a person should know of them, one sentence each.
    """

    def __init__(
        self, path: Path, names: Iterable[str], folders: Iterable[str], warnings: tuple[str, ...] = ()
    ) -> None:
        self.path, self.warnings = path, warnings
        self.names = tuple(sorted(name for name in names if not is_leftover(name)))
        parents = {parent for name in self.names for parent in folders_of(name)}
        self.folders = parents | {name for name in folders if name and not is_leftover(name)}

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The content of a file; may be called from several threads.

        :raises DataError: when it cannot be read whole.
        """

    @abstractmethod
    def file(self, name: str) -> Path:
        """The file on the disk that holds its content: itself, or the archive that it is in."""

    def place(self, name: str) -> str:
        """Where a file is, as a person would say it."""
        return f"{self.path}/{name}"
