"""Files that are either the old one or the whole new one, never a part."""

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, TypeVar

from cnnlab.core.errors import DataError, StorageError, UsageError
from cnnlab.core.machine import WINDOWS
from cnnlab.core.sinks import in_short

try:
    import fcntl
except ImportError:
    # Windows has none.
    fcntl = None  # type: ignore[assignment]

_Found = TypeVar("_Found")
# Not blocking, for a pipe by that name would be waited for without end. Windows has neither such pipes nor these words,
# but translates line breaks unless told not to.
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
READING = os.O_RDONLY | _FLAGS
APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | _FLAGS
_PART = ".part"
# Windows replaces no file while another program has it open, which readers and virus scanners do for a moment.
_SECONDS_TO_REPLACE = 2.0
_SHARING_VIOLATION = 32
_NO_FILE = "it is no file but a folder, a pipe or a device"
_REMEDIES = {
    errno.ENOSPC: "the disk is full. Free some space and go on; what was written before is whole",
    errno.EDQUOT: "the disk quota is used up. Free some space and go on; what was written before is whole",
    errno.EROFS: "the disk is read-only. Choose another folder",
    errno.EACCES: "the folder may not be written to. Choose another, or change its permissions",
    errno.EPERM: "the folder may not be written to. Choose another, or change its permissions",
    errno.ENOTDIR: "a part of the path is a file. Choose another folder",
    errno.EISDIR: "a folder of that name is in the way. Choose another name",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
    errno.EFBIG: "it is larger than files may be there. Raise that bound (ulimit -f), or choose another disk",
    errno.EBUSY: "another program holds it. Close that, or choose another folder",
    errno.ELOOP: "a link is in the way. Remove it, or choose another folder",
    errno.EEXIST: "a file of that name is in the way. Choose another folder",
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns what the system says when ``path`` cannot be written into a :class:`StorageError` with a remedy."""
    try:
        yield
    except (FileNotFoundError, TimeoutError):
        # Of what is gone, and of waiting for a lock, whoever asked for it knows more.
        raise
    except OSError as error:
        number = errno.EBUSY if getattr(error, "winerror", None) == _SHARING_VIOLATION else error.errno
        why = _REMEDIES.get(number or 0) or f"{error.strerror or error}. Try again, or choose another folder"
        raise StorageError(f"{path} could not be written: {why}.") from error


@contextmanager
def reading_errors() -> Iterator[None]:
    """Turns what the system says when data cannot be read into a :class:`DataError` that names the file."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename or 'a file'} cannot be read: {error.strerror or error}.") from error


def file_stamp(status: os.stat_result) -> tuple[int, ...]:
    """What changes whenever a file is written to, replaced, or exchanged with another.

    Size and time of modification alone stay when two files of a size are swapped, or when a program sets the time back;
    the time of any change cannot be set.
    """
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def user_path(text: str | Path) -> Path:
    """The path that a person wrote, with ``~`` for their own folder or another's.

    :raises UsageError: for what can be no path.
    """
    if "\0" in str(text):
        raise UsageError(f"{in_short(str(text))} is no path: it holds the sign NUL.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{in_short(str(text))} is no path here: there is no user of that name.") from error


def open_regular(path: Path) -> BufferedReader:
    """A file opened for reading its bytes.

    A pipe would be waited for without end, and a device may never end.

    :raises OSError: when it cannot be read, or is a folder, a pipe, a socket or a device, or a link to one.
    """
    try:
        handle = os.open(path, READING)
    except PermissionError as error:
        # Where a folder can be opened at all, it is told from a file below.
        if WINDOWS and path.is_dir():
            raise OSError(errno.EINVAL, _NO_FILE, str(path)) from error
        raise
    except ValueError as error:
        # A NUL in it, or letters that no name can hold.
        raise OSError(errno.EINVAL, "there can be no file by that name", str(path)) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, _NO_FILE, str(path))
    return BufferedReader(_Readable(handle, path))


class _Readable(FileIO):
    """A file that has its bytes at once.

    Some of the system's own, such as ``/proc/kmsg``, pass for files and are queues: where nothing is in them, a read
    that does not wait gives None, which no reader expects.

    :raises OSError: on reading, where there is nothing yet.
    """

    def __init__(self, handle: int, path: Path) -> None:
        super().__init__(handle, "rb")
        self._path = path

    def readinto(self, buffer: Any, /) -> int:
        found: int | None = super().readinto(buffer)
        return self._there(found)

    def readall(self) -> bytes:
        return self._there(super().readall())

    def _there(self, found: _Found | None) -> _Found:
        if found is None:
            raise OSError(errno.EINVAL, _NO_FILE, str(self._path))
        return found


def check_regular(path: Path) -> None:
    """Refuses what is no file, for readers that open a path by themselves; errors as for :func:`open_regular`."""
    open_regular(path).close()


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a file of so many at most; errors as for :func:`open_regular`."""
    with open_regular(path) as file:
        # Room for all that is asked for would be taken before a byte is read.
        size = os.fstat(file.fileno()).st_size
        content = file.read(min(size, most) + 1)
        if len(content) > size:
            # It grew meanwhile.
            content += file.read(most + 1 - len(content))
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return content


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


def free_space(folder: Path) -> int:
    """Bytes that are free on the disk of a folder, which need not be there yet."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it takes the place of ``path`` once the block ends well.

    The file is flushed to the disk before it is renamed, and the rename before the block is left. On an error
    the temporary file is removed and whatever stood at ``path`` stays.

    :raises StorageError: also where a device, a pipe or a socket is at ``path``, which is never replaced.
    """
    make_folder(path.parent)
    _refuse_special(path)
    with storage_errors(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
        os.close(handle)
    temporary = Path(name)
    try:
        with storage_errors(path):
            os.chmod(temporary, 0o666 & ~_umask())
            yield temporary
            flush(temporary)
            _replace(temporary, path)
            flush(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _refuse_special(path: Path) -> None:
    with storage_errors(path):
        kind = os.lstat(path).st_mode if os.path.lexists(path) else stat.S_IFREG
    if not (stat.S_ISREG(kind) or stat.S_ISLNK(kind) or stat.S_ISDIR(kind)):
        raise StorageError(f"{path} could not be written: it is no file but a pipe, a socket or a device. Name a file.")


def clear_leftovers(folder: Path) -> None:
    """Removes the temporary files that a killed process left under ``folder``, which nobody else may be writing to."""
    for path in folder.rglob(f".*{_PART}"):
        path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Replaces the file at ``path`` whole."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Replaces the file at ``path`` whole, in UTF-8."""
    write_bytes(path, content.encode())


def flush(path: Path) -> None:
    """Has the system write a file, or the names in a folder, to the disk."""
    if WINDOWS and path.is_dir():
        # It opens no folders, and writes their names by itself.
        return
    handle = os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)
    try:
        if hasattr(fcntl, "F_FULLFSYNC"):
            # The fsync of macOS leaves it in the memory of the disk.
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        else:
            os.fsync(handle)
    finally:
        os.close(handle)


def _replace(temporary: Path, path: Path) -> None:
    deadline = time.monotonic() + (_SECONDS_TO_REPLACE if WINDOWS else 0.0)
    while True:
        try:
            return os.replace(temporary, path)
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.02)


def _umask() -> int:
    # Reading the mask means setting it; the two calls are as close as they can be.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
