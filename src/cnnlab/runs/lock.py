"""The lock of a run folder: who holds it owns the run. It dies with its owner, however that ends."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cnnlab.core.errors import RunBusyError
from cnnlab.core.files import READING, read_regular, storage_errors, write_text
from cnnlab.core.machine import WINDOWS, machine_facts
from cnnlab.runs.record import now

try:
    import fcntl
except ImportError:
    # Windows has none.
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
OWNER = ".owner.json"
_MOST_NOTE = 1 << 16
# A reader's probe holds the lock for some microseconds; an owner holds it for good.
_PATIENCE = 1.0
_POLL = 0.01
_PROBED = 0.05


class RunLock:
    """The lock of one run folder.

    Beside it lies a note of who holds it, for messages only: a note may outlive its writer, the lock does not.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / LOCK, thread_local=False)

    def acquire(self) -> None:
        """Takes the lock.

        :raises RunBusyError: naming the owner, when another holds it.
        :raises StorageError: when the folder may not be written to.
        """
        try:
            with storage_errors(self.folder / LOCK):
                self._lock.acquire(timeout=_PATIENCE, poll_interval=_POLL)
        except Timeout:
            raise RunBusyError(_busy(self.folder)) from None

    def sign(self, note: str = OWNER, **facts: Any) -> None:
        """Leaves the note of who holds the lock, under the name ``note`` and with these facts besides."""
        owner = {"pid": os.getpid(), **machine_facts(), "since": now(), **facts}
        write_text(self.folder / note, json.dumps(owner) + "\n")

    def carry(self, move: Callable[[], Path]) -> Path:
        """Has the folder moved, the lock with it, and says where it is now.

        Windows moves no folder in which a file is open: there the lock is let go for that moment and taken again.

        :raises RunBusyError: when another took it in between.
        """
        if WINDOWS:
            self._lock.release(force=True)
        self.folder = move()
        if WINDOWS:
            self._lock = FileLock(self.folder / LOCK, thread_local=False)
            self.acquire()
        return self.folder

    def release(self) -> None:
        """Gives the lock back; does nothing when it is not held."""
        if self._lock.is_locked:
            with suppress(OSError):
                (self.folder / OWNER).unlink()
            self._lock.release(force=True)


def is_locked(folder: Path) -> bool:
    """Whether someone holds the lock of a run folder, this process included.

    Probing takes a shared lock for an instant, so probes do not disturb each other, and needs no right to write.
    """
    if fcntl is None:
        return _cannot_be_taken(folder / LOCK)
    try:
        handle = os.open(folder / LOCK, READING)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _cannot_be_taken(path: Path) -> bool:
    """Where no lock is shared: whether it stays another's for longer than a probe holds it."""
    if not path.exists():
        return False
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=_PROBED, poll_interval=_POLL)
    except Timeout:
        return True
    except OSError:
        # Nobody who may not write here holds it.
        return False
    lock.release()
    return False


def owner(folder: Path, note: str = OWNER) -> dict[str, Any]:
    """``{pid, host, boot, since}`` of who took the lock last; empty when nobody says so."""
    try:
        return dict(json.loads(read_regular(folder / note, _MOST_NOTE)))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def is_of_this_machine(holder: Mapping[str, Any]) -> bool:
    """Whether an :func:`owner` is of this machine; what its note does not say, as older ones, speaks for it."""
    return all(holder.get(fact) in (None, ours) for fact, ours in machine_facts().items())


def who(folder: Path, note: str = OWNER) -> str:
    """The owner of a run folder, in words."""
    holder = owner(folder, note)
    if not {"pid", "host", "since"} <= holder.keys():
        return "another process"
    return f"process {holder['pid']} on {str(holder['host'])[:64]} (since {str(holder['since'])[:19]} UTC)"


def _busy(folder: Path) -> str:
    return (
        f"the run {folder.name} is being worked on by {who(folder)}. Wait until it is done or stop that process; a "
        "second one on the same run would spoil its record."
    )
