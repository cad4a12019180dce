"""Files that are either the old one or the whole new one, never a part."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cnnlab.core.errors import StorageError

_PART = ".part"
_REMEDIES = {
    errno.ENOSPC: "the disk is full. Free some space and go on; what was written before is whole",
    errno.EDQUOT: "the disk quota is used up. Free some space and go on; what was written before is whole",
    errno.EROFS: "the disk is read-only. Choose another folder",
    errno.EACCES: "the folder may not be written to. Choose another, or change its permissions",
    errno.EPERM: "the folder may not be written to. Choose another, or change its permissions",
    errno.ENOTDIR: "a part of the path is a file. Choose another folder",
    errno.EISDIR: "a folder of that name is in the way. Choose another name",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
    errno.ELOOP: "a link is in the way. Remove it, or choose another folder",
    errno.EEXIST: "a file of that name is in the way. Choose another folder",
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns what the system says when ``path`` cannot be written into a :class:`StorageError` with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        raise StorageError(f"{path} could not be written: {_REMEDIES[error.errno]}.") from error


def make_folder(path: Path) -> Path:
    """The folder, made with its parents where it is missing."""
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def cache_folder() -> Path:
    """The user's folder for what can be made or downloaded again: ``CNNLAB_CACHE``, or the system's place for it."""
    named = os.environ.get("CNNLAB_CACHE")
    if named:
        return Path(named)
    import pooch

    return Path(pooch.os_cache("cnnlab"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it takes the place of ``path`` once the block ends well.

    The file is flushed to the disk before it is renamed, and the rename before the block is left. On an error
    the temporary file is removed and whatever stood at ``path`` stays.
    """
    make_folder(path.parent)
    with storage_errors(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
        os.close(handle)
    temporary = Path(name)
    try:
        with storage_errors(path):
            os.chmod(temporary, 0o666 & ~_umask())
            yield temporary
            flush(temporary)
            os.replace(temporary, path)
            flush(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def clear_leftovers(folder: Path) -> None:
    """Removes the temporary files that a killed process left under ``folder``, which nobody else may be writing to."""
    for path in folder.rglob(f".*{_PART}"):
        path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces the file at ``path`` whole."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Replaces the file at ``path`` whole, in UTF-8."""
    write_bytes(path, content.encode())


def flush(path: Path) -> None:
    """Has the system write a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    # Reading the mask means setting it; the two calls are as close as they can be.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
