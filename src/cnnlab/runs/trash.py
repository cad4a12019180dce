"""Deleted runs: kept in a folder of their store until they are purged, and brought back whole."""

import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cnnlab.core.errors import RunNotFoundError, StorageError, UsageError, suggestion
from cnnlab.core.files import make_folder, storage_errors
from cnnlab.runs.record import now

TRASH = ".trash"
PURGED = ".purged-"


class Trash:
    """The deleted runs of one store.

    Each lies under its own name in a folder named for the time of its deletion, so that one name can be deleted again
    and again. A link to a run is kept as the link that it is.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / TRASH

    def put(self, folder: Path) -> Path:
        """Moves a run here, in one step.

        :raises StorageError: when it may not be moved; it is then where it was.
        """
        time = now().replace(":", "").partition("+")[0]
        place = make_folder(self.folder / f"{time}-{secrets.token_hex(2)}")
        try:
            with storage_errors(folder):
                return folder.rename(place / folder.name)
        except BaseException:
            place.rmdir()
            raise

    def entries(self) -> Sequence[Path]:
        """The deleted runs, the one deleted last first."""
        return sorted(self.folder.glob("*/*"), reverse=True)

    def restore(self, name: str) -> Path:
        """Moves a run back to where it was: of several by one name, the one deleted last.

        :raises RunNotFoundError: when none of that name was deleted.
        :raises UsageError: when another run has taken its place.
        """
        entries = self.entries()
        path = next((path for path in entries if path.name == name), None)
        if path is None:
            known = {entry.name for entry in entries}
            hint = suggestion(name, known) if known else "None was deleted since the last purge."
            raise RunNotFoundError(f"there is no deleted run {name!r} under {self.root}. {hint}")
        home = self.root / name
        if home.exists() or home.is_symlink():
            raise UsageError(f"{home} is there already. Delete or rename it, and restore {name} then.")
        with storage_errors(home):
            path.rename(home)
        with suppress(OSError):
            path.parent.rmdir()
        return home

    def purge(self) -> Sequence[Path]:
        """Removes all deleted runs for good and gives back where they were; links in them are not followed."""
        entries = self.entries()
        if self.folder.is_symlink():
            raise StorageError(
                f"{self.folder} is a link to {os.readlink(self.folder)}, where more than runs may lie, so nothing "
                "was purged. Remove what is not wanted there, and then the link."
            )
        if self.folder.is_dir():
            with storage_errors(self.folder):
                # What is half removed must not look like something to restore.
                hidden = self.folder.rename(self.root / f"{PURGED}{secrets.token_hex(4)}")
            shutil.rmtree(hidden, ignore_errors=True)
        return entries
