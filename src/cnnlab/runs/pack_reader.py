"""Reading a pack, file by file and in memory that stays flat; whatever it should not hold is refused.

The few kinds of headers that :mod:`cnnlab.runs.pack` writes are read here one by one: Python's reader of archives takes
as much memory as a header declares, and follows links.
"""

import json
import lzma
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from types import TracebackType

from cnnlab.core.errors import DataError
from cnnlab.core.files import open_regular, reading_errors
from cnnlab.core.limits import check_unpacked
from cnnlab.core.number_text import in_units
from cnnlab.core.schemas import what_is_wrong
from cnnlab.core.sinks import in_short
from cnnlab.runs import record
from cnnlab.runs.pack_format import (
    CONTENTS,
    FORMAT,
    MOST_FILE,
    MOST_PACK,
    MOST_RECORD,
    PackContents,
    belongs,
    in_order,
    is_plain,
)

_CHUNK = 1 << 18
_MOST_MEMORY = 256 << 20
"""Bytes that unpacking may take, which a stream declares by itself."""
_MOST_CONTENTS = 16 << 20
_MOST_NAME = 4096
_MOST_PADDING = 1 << 16
_NO_RUNS = {record.STUDIES, record.PAPERS, "last"}
_KINDS = {
    tarfile.LNKTYPE: "a link",
    tarfile.SYMTYPE: "a link",
    tarfile.DIRTYPE: "a folder",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


@dataclass(frozen=True)
class Member:
    """A file of a pack, whose content is read before the next one is asked for.

    :param kind: ``runs``, ``studies`` or ``papers``; ``unit`` the folder there, ``file`` its name below that.
    """

    kind: str
    unit: str
    file: str
    size: int
    pack: "PackReader"

    def chunks(self) -> Iterator[bytes]:
        """Its content, once."""
        return self.pack.content()

    def content(self) -> bytes:
        """The same of a record, in one piece.

        :raises DataError: for one that is larger than records are.
        """
        if self.size > MOST_RECORD:
            raise self.pack.refused(f"{self.kind}/{self.unit}/{self.file} has {in_units(self.size)}")
        return b"".join(self.chunks())


class PackReader:
    """A pack, opened; a context manager.

    :ivar contents: what its first file says.
    :raises DataError: for what is no pack, also while it is read, with what is wrong with it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read, self._left, self._padding = 0, 0, 0
        self._xz = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)
        with reading_errors():
            self._file: BufferedReader = open_regular(path)
        try:
            self._size = self._file.seek(0, 2)
            self._file.seek(0)
            self.contents = self._contents()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "PackReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def refused(self, reason: str) -> DataError:
        """What is said of a pack that cannot be taken in."""
        return DataError(f"{self.path} is no whole pack of cnnlab's: {reason}. Export or copy it anew.")

    def members(self) -> Iterator[Member]:
        """Its files but the first, in the order of their names, each of those that ``pack.json`` names."""
        before: tuple[str, ...] = (CONTENTS,)
        while (header := self._header()) is not None:
            member = self._member(header)
            if in_order(header.name) <= before:
                raise self.refused(f"{in_short(header.name)} is there twice, or out of order")
            before = in_order(header.name)
            yield member
            for _ in self.content():
                pass
        self._end()

    def content(self) -> Iterator[bytes]:
        """What is left of the file whose header was read last."""
        while self._left:
            piece = self._bytes(min(self._left, _CHUNK))
            self._left -= len(piece)
            yield piece
        self._bytes(self._padding)
        self._padding = 0

    def _contents(self) -> PackContents:
        header = self._header()
        if header is None or header.name != CONTENTS or header.size > _MOST_CONTENTS:
            raise self.refused(f"it does not begin with {CONTENTS}")
        try:
            found = json.loads(b"".join(self.content()))
        except (ValueError, RecursionError) as error:
            raise self.refused(f"{CONTENTS} is damaged") from error
        version = found.get("format") if isinstance(found, dict) else None
        if isinstance(version, int) and version > FORMAT:
            raise DataError(
                f"{self.path} was written by a later version of cnnlab (pack format {in_short(str(version))}; this one "
                f"reads up to {FORMAT}). Update cnnlab to read it."
            )
        wrong = what_is_wrong(PackContents, found)
        if wrong is not None:
            raise self.refused(f"{CONTENTS} is damaged ({wrong})")
        return PackContents.model_validate(found)

    def _member(self, header: tarfile.TarInfo) -> Member:
        parts = header.name.split("/", 2)
        if len(parts) < 3 or parts[0] not in ("papers", "runs", "studies"):
            raise self.refused(f"it holds {in_short(header.name)!r}, which is no name that packs have")
        kind, unit, file = parts
        if not is_plain(unit) or (kind == "runs" and unit in _NO_RUNS) or not belongs(kind, file):
            raise self.refused(f"it holds {in_short(header.name)!r}, which is no name that packs have")
        if file not in self.contents.files(kind, unit):
            raise self.refused(f"it holds {in_short(header.name)}, which {CONTENTS} does not name")
        return Member(kind, unit, file, header.size, self)

    def _header(self, name: str | None = None) -> tarfile.TarInfo | None:
        """The next one; None at the end.

        :param name: that the header before it gave, for it was too long.
        """
        block = self._bytes(tarfile.BLOCKSIZE)
        if not any(block):
            return None
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            raise self.refused("it is damaged") from error
        if header.size < 0:
            raise self.refused("it is damaged")
        self._left, self._padding = header.size, -header.size % tarfile.BLOCKSIZE
        if header.type == tarfile.GNUTYPE_LONGNAME and name is None and header.size <= _MOST_NAME:
            return self._header(b"".join(self.content()).rstrip(b"\0").decode("utf-8", "surrogateescape"))
        header.name = header.name if name is None else name
        if header.type != tarfile.REGTYPE:
            what = _KINDS.get(header.type, "something that is no plain file")
            raise self.refused(f"it holds {what}, {in_short(header.name)!r}")
        if header.size > MOST_FILE:
            raise self.refused(
                f"{in_short(header.name)!r} has {in_units(header.size)}, and files of a pack have at most "
                f"{in_units(MOST_FILE)}"
            )
        return header

    def _end(self) -> None:
        """Refuses whatever stands behind the end of the archive."""
        rest = self._unpacked(_MOST_PADDING)
        if any(rest) or len(rest) == _MOST_PADDING or self._xz.unused_data or self._file.read(1):
            raise self.refused("something stands behind its end")

    def _bytes(self, count: int) -> bytes:
        found = self._unpacked(count)
        if len(found) < count:
            raise self.refused("it is cut short")
        return found

    def _unpacked(self, count: int) -> bytes:
        """So many bytes, or those up to the end of the stream."""
        found = bytearray()
        try:
            while len(found) < count and not self._xz.eof:
                given = self._given() if self._xz.needs_input else b""
                found += self._xz.decompress(given, count - len(found))
        except lzma.LZMAError as error:
            raise self.refused(f"it is damaged, or no xz file ({error})") from error
        self._read += len(found)
        if self._read > MOST_PACK:
            raise self.refused(f"it unpacks to over {in_units(MOST_PACK)}")
        check_unpacked(self._read, self._size, str(self.path))
        return bytes(found)

    def _given(self) -> bytes:
        with reading_errors():
            piece = self._file.read(_CHUNK)
        if not piece:
            raise self.refused("it is cut short")
        return piece
