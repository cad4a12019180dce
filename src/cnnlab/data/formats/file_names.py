"""Names of files in folders and archives: how they are written down, and which are leftovers of no interest."""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence

from cnnlab.core.sinks import visible

_LEFTOVERS = {
    "__macosx",
    "__pycache__",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "$recycle.bin",
    "recycler",
    "#recycle",
    "@recycle",
    "lost+found",
    "system volume information",
    "@eadir",
    "@tmp",
    "#snapshot",
    "@recently-snapshot",
}
"""What systems and storage leave behind, in small letters; names that begin with a dot are so too."""
_FOUND = re.compile(r"found\.\d{3}", re.IGNORECASE)
"""The folders in which Windows puts what it finds when it repairs a disk."""
_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075
_USUAL = "cp437"


def is_leftover(name: str) -> bool:
    """Whether a path holds a part that file managers, systems or storage leave behind: a bin, thumbnails, an index."""
    parts = name.split("/")
    return any(
        part.lower() in _LEFTOVERS or (part[:1] == "." and part not in {".", ".."}) or _FOUND.fullmatch(part)
        for part in parts
    )


def printable(name: str) -> str:
    """The name with what is no text in it (bytes that are not UTF-8) and codes as escapes, so that it can be shown."""
    return visible(name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def suffix_of(name: str) -> str:
    """The suffix of the last part of a path with forward slashes, as pathlib has it, which takes ten times as long."""
    last = name[name.rfind("/") + 1 :]
    place = last.rfind(".")
    return last[place:] if 0 < place < len(last) - 1 else ""


def folders_of(name: str) -> Iterator[str]:
    """The folders that a path leads through."""
    parts = name.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def zip_names(infos: Sequence[zipfile.ZipInfo], encoding: str | None = None) -> tuple[list[str], str]:
    """The names in a .zip as text, and a warning where it does not say how they were encoded, or ''.

    Names that are marked as UTF-8 are. The others are UTF-8 too where all of them can be, as macOS and most programs
    write them; else they are in ``encoding``, and by default in that of the first PCs.

    :raises UnicodeDecodeError: when they are not in ``encoding``.
    """
    raw = [_raw_name(info) for info in infos]
    unmarked = b"".join(name for name in raw if isinstance(name, bytes))
    if encoding is None and not _is_utf8(unmarked):
        names, example = _decoded(raw, _USUAL), next(n for n in raw if isinstance(n, bytes) and not _is_utf8(n))
        return names, _read_as(_USUAL, example.decode(_USUAL))
    return _decoded(raw, encoding or "utf-8"), ""


def tar_names(names: Sequence[str], encoding: str | None = None) -> tuple[list[str], str]:
    """The same of a tar, whose names come with the bytes that are not UTF-8 as surrogates; the usual one is Latin-1."""
    raw = [name.encode("utf-8", "surrogateescape") for name in names]
    others = [name for name in raw if not _is_utf8(name)]
    decoded = [name.decode() if _is_utf8(name) else name.decode(encoding or "latin-1") for name in raw]
    if encoding or not others:
        return decoded, ""
    return decoded, _read_as("latin-1", others[0].decode("latin-1"))


def _read_as(encoding: str, example: str) -> str:
    return (
        f"names in it are not in UTF-8 and were read as {encoding}, {example} for instance. If that is wrong, say in "
        "what they are, as in encoding=cp1252 or encoding=shift-jis."
    )


def _raw_name(info: zipfile.ZipInfo) -> str | bytes:
    """The name as text where the archive says how it is encoded, else its bytes."""
    if info.flag_bits & _UTF8_FLAG:
        return info.orig_filename
    raw = info.orig_filename.encode(_USUAL)
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        # A second name in UTF-8, which holds for as long as the first was not changed.
        if kind == _UNICODE_PATH and field[:1] == b"\1" and field[1:5] == struct.pack("<I", zlib.crc32(raw)):
            return field[5:].decode("utf-8", "replace")
    return raw


def _decoded(names: Sequence[str | bytes], encoding: str) -> list[str]:
    return [name if isinstance(name, str) else name.decode(encoding) for name in names]


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
