"""Whether two machines see one folder of runs, and whether a lock that one of them holds there holds for the other."""

import secrets
import shutil
from pathlib import Path
from typing import Literal

from cnnlab.core.files import make_folder
from cnnlab.runs.lock import RunLock, is_locked
from cnnlab.runs.writer import CREATING

Sharing = Literal["shared", "apart", "unlocked"]


class SharingProbe:
    """A hidden folder in a folder of runs under a name that no other has, locked as a run is.

    What a kill leaves of it is cleared away by the store, as a run that was never made.
    """

    def __init__(self, runs: Path) -> None:
        self.folder = make_folder(make_folder(runs) / f"{CREATING}shared-{secrets.token_hex(8)}")
        self._lock = RunLock(self.folder)
        self._lock.acquire()

    def close(self) -> None:
        """Removes it."""
        self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)


def sharing(probe: Path) -> Sharing:
    """How this machine sees the folder of another one's probe.

    ``shared`` with locks that hold, ``apart`` where it is not there, ``unlocked`` where its lock is not seen: so it is
    with file systems that keep locks to each machine, such as NFS mounted with ``nolock``, and most buckets.
    """
    if not probe.is_dir():
        return "apart"
    return "shared" if is_locked(probe) else "unlocked"
