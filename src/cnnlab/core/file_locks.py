"""Locks of single files: what several processes add to one of them is all there."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cnnlab.core.digests import digest
from cnnlab.core.errors import StorageError
from cnnlab.core.files import cache_folder, make_folder, storage_errors

_FOLDER = "locks"
# Who holds the lock of a small record reads and writes it, no more.
_SECONDS = 20.0


@contextmanager
def only_writer(path: Path, seconds: float = _SECONDS) -> Iterator[None]:
    """A block that one process at a time is in for a file: what is read of it there is still so when it is replaced.

    The lock is an empty file in the user's cache, so that nothing comes to lie beside ``path``; it dies with its
    process. Where the cache cannot be written, there is none.

    :param seconds: for which another process is waited for.
    :raises StorageError: when another process has been in there for long.
    """
    from filelock import FileLock, Timeout

    place = cache_folder() / _FOLDER / f"{digest(str(path.resolve()))[:40]}.lock"
    lock = FileLock(place, timeout=seconds)
    try:
        with suppress(StorageError), storage_errors(place):
            make_folder(place.parent)
            lock.acquire()
    except Timeout:
        raise StorageError(
            f"{path} could not be written: another process has been writing it for {seconds:g} seconds. Wait until it "
            "is done, or stop it."
        ) from None
    try:
        yield
    finally:
        lock.release()
