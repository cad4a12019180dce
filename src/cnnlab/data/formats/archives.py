"""The files of a folder or an archive, by name, read where they lie: nothing is ever extracted.

Names have forward slashes and are relative. What file managers leave behind (``.DS_Store``, ``__MACOSX``,
``Thumbs.db``) is passed over. An archive is refused as a whole when a name in it leads out of it, when it holds links
or devices, or when it unpacks to absurdly more than its own size.
"""

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import threading
import weakref
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from cnnlab.core.errors import DataError

_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}
_PICKLED = {".pkl", ".pickle", ".pt", ".pth", ".joblib"}
_MOST_FILE = 512 << 20
_HARMLESS = 1 << 30
_MOST_RATIO = 100
_IN_MEMORY = 128 << 20
_BLOCK = 1 << 20
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)


class Members(ABC):
    """Named files.

    :param path: the folder or archive.
    :param names: of the files, in rising order.
    :param folders: of the folders, also of empty ones.
    """

    def __init__(self, path: Path, names: Iterable[str], folders: Iterable[str]) -> None:
        self.path = path
        self.names = tuple(sorted(name for name in names if not is_junk(name)))
        parents = {parent for name in self.names for parent in _parents(name)}
        self.folders = parents | {name for name in folders if name and not is_junk(name)}

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The content of a file; may be called from several threads.

        :raises DataError: when it cannot be read whole.
        """


class FolderMembers(Members):
    """The files of a folder on the disk; links in it are followed."""

    def __init__(self, path: Path) -> None:
        files, folders = walk(path)
        self._paths = {_printable(name): path / name for name in files}
        super().__init__(path, self._paths, map(_printable, folders))

    def read(self, name: str) -> bytes:
        """The bytes of the file."""
        return read_file(self._paths[name])


class ZipMembers(Members):
    """The files of a .zip."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        infos = {_safe(path, info.filename): info for info in self._archive.infolist()}
        for name, info in infos.items():
            if stat.S_ISLNK(info.external_attr >> 16):
                raise _link(path, name)
            if info.flag_bits & 1:
                raise DataError(f"{path} is locked by a password; unpack it, and give the folder instead.")
        _check_total(path, sum(info.file_size for info in infos.values()))
        self._files = {name: info for name, info in infos.items() if not info.is_dir()}
        super().__init__(path, self._files, [name for name, info in infos.items() if info.is_dir()])

    def read(self, name: str) -> bytes:
        """The unpacked bytes, compared with their checksum in the archive."""
        info = self._files[name]
        _check_size(info.file_size)
        try:
            return self._archive.read(info)
        except (*_DAMAGED, NotImplementedError, RuntimeError) as error:
            raise DataError(f"it is damaged in the archive ({error})") from error


class TarMembers(Members):
    """The files of a .tar, .tar.gz, .tar.bz2 or .tar.xz; a packed one is unpacked as a whole to a nameless file."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = _plain_tar(path)
        weakref.finalize(self, self._file.close)
        with tarfile.open(fileobj=self._file, mode="r:", errors="replace") as archive:
            infos = {_safe(path, info.name): info for info in archive.getmembers()}
            end = archive.offset
        # A tar ends with blocks of zeros; reading just stops where one is cut off or damaged between two members.
        self._file.seek(end)
        if self._file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("its end is missing")
        for name, info in infos.items():
            if not (info.isreg() or info.isdir()):
                raise _link(path, name)
        _check_total(path, sum(info.size for info in infos.values()))
        self._spans = {name: (info.offset_data, info.size) for name, info in infos.items() if info.isreg()}
        super().__init__(path, self._spans, [name for name, info in infos.items() if info.isdir()])

    def read(self, name: str) -> bytes:
        """The bytes of the member."""
        offset, size = self._spans[name]
        _check_size(size)
        with self._lock:
            self._file.seek(offset)
            content = self._file.read(size)
        if len(content) < size:
            raise DataError("it is cut off in the archive")
        return content


def open_members(path: Path) -> Members:
    """The files of a folder, .zip or .tar, told by its content.

    :raises DataError: when it is none of these, is damaged, or is not safe to read.
    """
    if path.is_dir():
        return FolderMembers(path)
    try:
        if zipfile.is_zipfile(path):
            return ZipMembers(path)
        if tarfile.is_tarfile(path):
            return TarMembers(path)
    except _DAMAGED as error:
        raise DataError(f"{path} is damaged or cut off ({error}). Copy or download it again.") from error
    if path.suffix.lower() in _PICKLED:
        raise DataError(
            f"{path} is a pickle by its name, and pickles are not read because they could run a program. Save the "
            "arrays with numpy.savez as x_train, y_train, x_test and y_test, and give the .npz."
        )
    raise DataError(
        f"{path} is neither a folder nor a readable .zip or .tar archive; it may be cut off. Copy or download it again."
    )


def walk(root: Path) -> tuple[list[str], list[str]]:
    """Names of all files and folders under a folder; links are followed, each folder is entered once.

    :raises DataError: when a folder cannot be listed.
    """
    files: list[str] = []
    folders: list[str] = []
    seen: set[str] = set()
    for here, below, names in os.walk(root, followlinks=True, onerror=_unlisted):
        real = os.path.realpath(here)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not is_junk(name))
        relative = Path(here).relative_to(root)
        files += [(relative / name).as_posix() for name in names if not is_junk(name)]
        folders += [(relative / name).as_posix() for name in below]
    return files, folders


def read_file(path: Path) -> bytes:
    """The bytes of a file, of half a gigabyte at most."""
    _check_size(path.stat().st_size)
    return path.read_bytes()


def is_junk(name: str) -> bool:
    """Whether a path holds a part that file managers leave behind."""
    return any(part in _JUNK or (part.startswith(".") and part not in {".", ".."}) for part in name.split("/"))


def _printable(name: str) -> str:
    """The name with what is no text in it (bytes that are not UTF-8) replaced, so that it can be written down."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _parents(name: str) -> Iterator[str]:
    parts = name.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _safe(path: Path, name: str) -> str:
    """The name with forward slashes.

    :raises DataError: when it leads out of the archive.
    """
    plain = name.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in {"", "."}]
    if plain.startswith("/") or ".." in parts or (len(plain) > 1 and plain[1] == ":") or "\0" in plain:
        raise DataError(
            f"{path} holds {name!r}, a path that leads out of the archive. It is not safe to read and is refused; pack "
            "the pictures again with relative names."
        )
    return "/".join(parts)


def _link(path: Path, name: str) -> DataError:
    return DataError(
        f"{path} holds {name!r}, which is a link or a device and not a file. It is not safe to read and is refused; "
        "pack the pictures themselves."
    )


def _check_total(path: Path, total: int) -> None:
    packed = path.stat().st_size
    if total > _HARMLESS and total > _MOST_RATIO * packed:
        raise DataError(
            f"{path} would unpack to {total:,} bytes, over {_MOST_RATIO} times its own {packed:,}. That looks like an "
            "archive made to fill the disk and is refused; unpack it yourself if you trust it, and give the folder."
        )


def _check_size(size: int) -> None:
    if size > _MOST_FILE:
        raise DataError(f"it has {size:,} bytes, and more than {_MOST_FILE >> 20} MB are not read")


def _unlisted(error: OSError) -> None:
    raise DataError(f"the folder {error.filename} cannot be listed: {error.strerror}.") from error


_UNPACKERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}


def _plain_tar(path: Path) -> IO[bytes]:
    """The tar as a file that can be read at any place."""
    with path.open("rb") as file:
        head = file.read(6)
    unpack = next((opener for magic, opener in _UNPACKERS.items() if head.startswith(magic)), None)
    if unpack is None:
        return path.open("rb")
    plain = cast(IO[bytes], SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115
    try:
        with unpack(path) as packed:
            while block := packed.read(_BLOCK):
                plain.write(block)
                _check_total(path, plain.tell())
    except BaseException:
        plain.close()
        raise
    plain.seek(0)
    return plain
