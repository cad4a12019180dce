"""The files of an archive, by name, read where they lie: nothing is ever extracted.

An archive is refused as a whole when a name in it leads out of it, when it holds links or devices, or when it unpacks
to absurdly more than its own size.
"""

import bz2
import codecs
import gzip
import lzma
import os
import stat
import tarfile
import threading
import weakref
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from cnnlab.core.errors import DataError, UsageError
from cnnlab.core.files import open_regular
from cnnlab.core.limits import check_unpacked
from cnnlab.core.messages import first_few
from cnnlab.core.sinks import in_short, visible
from cnnlab.data.formats.file_names import tar_names, zip_names
from cnnlab.data.formats.folders import FolderMembers
from cnnlab.data.formats.members import Members, check_image_size
from cnnlab.data.formats.other_kinds import is_packed_otherwise, what_it_is

_IN_MEMORY = 128 << 20
_BLOCK = 1 << 20
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)
# What zipfile says of a kind of archive that it does not know, and damage makes one of any.
_UNKNOWN = (NotImplementedError, RuntimeError)


class ZipMembers(Members):
    """The files of a .zip.

    :param encoding: of names that are not in UTF-8.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        file = open_regular(path)
        weakref.finalize(self, file.close)
        self._archive = zipfile.ZipFile(file)
        members = self._archive.infolist()
        if not all(info.filename for info in members):
            raise zipfile.BadZipFile("a file in it has no name")
        names, warning = _named(path, encoding, lambda: zip_names(members, encoding))
        infos = dict(zip(names, members, strict=True))
        for name, info in infos.items():
            if stat.S_ISLNK(info.external_attr >> 16):
                raise _link(path, name)
            if info.flag_bits & 1:
                raise DataError(f"{path} is locked by a password; unpack it, and give the folder instead.")
        check_unpacked(sum(info.file_size for info in infos.values()), _packed(path), str(path))
        self._files = {name: info for name, info in infos.items() if not info.is_dir()}
        folders = [name for name, info in infos.items() if info.is_dir()]
        twice = _twice([name for name, info in zip(names, members, strict=True) if not info.is_dir()])
        super().__init__(path, self._files, folders, (*warning, *twice))

    def read(self, name: str) -> bytes:
        """The unpacked bytes, compared with their checksum in the archive."""
        info = self._files[name]
        check_image_size(info.file_size)
        try:
            return self._archive.read(info)
        except (*_DAMAGED, *_UNKNOWN) as error:
            raise DataError(f"it is damaged in the archive ({error})") from error

    def file(self, name: str) -> Path:
        """The archive."""
        return self.path


class TarMembers(Members):
    """The files of a .tar, .tar.gz, .tar.bz2 or .tar.xz; a packed one is unpacked as a whole to a nameless file.

    :param encoding: of names that are not in UTF-8.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self._lock = threading.Lock()
        self._file = _plain_tar(path)
        weakref.finalize(self, self._file.close)
        with tarfile.open(fileobj=self._file, mode="r:", errors="surrogateescape") as archive:
            members = archive.getmembers()
            end = archive.offset
        # A tar ends with blocks of zeros; reading just stops where one is cut off or damaged between two members.
        self._file.seek(end)
        if self._file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("its end is missing")
        names, warning = _named(path, encoding, lambda: tar_names([info.name for info in members], encoding))
        infos = dict(zip(names, members, strict=True))
        for name, info in infos.items():
            if not (info.isreg() or info.isdir()):
                raise _link(path, name)
        check_unpacked(sum(info.size for info in infos.values()), _packed(path), str(path))
        self._spans = {name: (info.offset_data, info.size) for name, info in infos.items() if info.isreg()}
        folders = [name for name, info in infos.items() if info.isdir()]
        twice = _twice([name for name, info in zip(names, members, strict=True) if info.isreg()])
        super().__init__(path, self._spans, folders, (*warning, *twice))

    def read(self, name: str) -> bytes:
        """The bytes of the member."""
        offset, size = self._spans[name]
        check_image_size(size)
        with self._lock:
            self._file.seek(offset)
            content = self._file.read(size)
        if len(content) < size:
            raise DataError("it is cut off in the archive")
        return content

    def file(self, name: str) -> Path:
        """The archive."""
        return self.path


def open_members(path: Path, encoding: str | None = None) -> Members:
    """The files of a folder, .zip or .tar, told by its content.

    :param encoding: of names in an archive that are not in UTF-8.
    :raises DataError: when it is none of these, is damaged, or is not safe to read.
    """
    if os.path.isdir(path):
        return FolderMembers(path)
    try:
        with open_regular(path) as file:
            is_zip = zipfile.is_zipfile(file)
        if is_zip and is_packed_otherwise(path):
            raise DataError(what_it_is(path))
        if is_zip:
            return ZipMembers(path, encoding)
        if _is_tar(path):
            return TarMembers(path, encoding)
    except (*_DAMAGED, *_UNKNOWN) as error:
        raise DataError(
            f"{path} is damaged or cut off ({getattr(error, 'strerror', None) or error}). Copy or download it again."
        ) from error
    raise DataError(
        what_it_is(path)
        or f"{path} is neither a folder nor a readable .zip or .tar archive; it may be cut off. Copy or download it "
        "again."
    )


_NO_ENCODINGS_OF_NAMES = {"unicode-escape", "raw-unicode-escape", "punycode", "idna", "undefined"}


def check_encoding(encoding: str | None) -> None:
    """Refuses what is no encoding that Python knows."""
    try:
        found = codecs.lookup(encoding or "utf-8")
        # Codecs of bytes, such as base64, are looked up alike.
        is_of_names = getattr(found, "_is_text_encoding", True) and found.name not in _NO_ENCODINGS_OF_NAMES
    except (LookupError, ValueError):
        is_of_names = False
    if not is_of_names:
        raise UsageError(
            f"there is no encoding {in_short(str(encoding))}. Name the one in which the names are, such as cp1252, "
            "cp850, shift-jis, gb18030 or latin-1."
        )


def _named(
    path: Path, encoding: str | None, read: Callable[[], tuple[list[str], str]]
) -> tuple[list[str], Sequence[str]]:
    """The names of all members, safe to use, and a warning of their encoding if there is one."""
    try:
        names, warning = read()
        return [_safe(path, name) for name in names], [warning] if warning else []
    except UnicodeError as error:
        raise DataError(f"{path}: names in it are not in {encoding} ({error}). Say encoding= otherwise.") from error


def _twice(names: Sequence[str]) -> Sequence[str]:
    again = [name for name, count in Counter(names).items() if count > 1]
    return [f"it holds several files of one name, of which the last counts: {first_few(again)}."] if again else []


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
    return visible("/".join(parts))


def _link(path: Path, name: str) -> DataError:
    return DataError(
        f"{path} holds {name!r}, which is a link or a device and not a file. It is not safe to read and is refused; "
        "pack the pictures themselves."
    )


_UNPACKERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}


def _unpacker(path: Path) -> Callable[[IO[bytes]], Any] | None:
    with open_regular(path) as file:
        head = file.read(6)
    return next((opener for magic, opener in _UNPACKERS.items() if head.startswith(magic)), None)


def _is_tar(path: Path) -> bool:
    """Whether a file begins like a tar, once it is unpacked."""
    unpack = _unpacker(path)
    try:
        with open_regular(path) as file, unpack(file) if unpack else nullcontext(file) as plain:
            tarfile.open(fileobj=plain, mode="r|").close()
    except tarfile.TarError:
        return False
    return True


def _packed(path: Path) -> int:
    return path.stat().st_size


def _plain_tar(path: Path) -> IO[bytes]:
    """The tar as a file that can be read at any place."""
    unpack = _unpacker(path)
    if unpack is None:
        return open_regular(path)
    plain = cast(IO[bytes], SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115
    try:
        with open_regular(path) as file, unpack(file) as packed:
            while block := packed.read(_BLOCK):
                plain.write(block)
                check_unpacked(plain.tell(), _packed(path), str(path))
    except BaseException:
        plain.close()
        raise
    plain.seek(0)
    return plain
