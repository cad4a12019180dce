"""The index over the runs of one folder: what their ``run.json`` say, kept in one SQLite file.

The folders are the truth and the file only saves reading them again: an entry counts for as long as the file it was
read from is the same by inode, size and times. Without the file, or the right to write it, listing is only slower.
"""

import json
import os
import platform
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnlab.core.digests import digest
from cnnlab.core.errors import CnnlabError, RunNotFoundError
from cnnlab.core.file_systems import is_on_network
from cnnlab.core.files import cache_folder, file_stamp
from cnnlab.runs import record

INDEX = ".index.sqlite"
_VERSION = 2
_FAULT = ""
"""The key, which no recipe has, under which the reason stands that one cannot be read."""
_WAIT = 5.0
_TABLE = """
CREATE TABLE runs (
    folder TEXT PRIMARY KEY, stamp TEXT NOT NULL, info TEXT NOT NULL, recipe_stamp TEXT, recipe TEXT
)"""
# What keeps a sound index from being used here and now; anything else means that the file is damaged.
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_AUTH,
}


@dataclass(frozen=True)
class IndexEntry:
    """One run in the index.

    :param folder: name of its folder.
    :param stamp: of the ``run.json`` that ``info`` was read from.
    :param info: the content of ``run.json``; of a run that cannot be read, ``status`` damaged and the reason.
    :param recipe_stamp: of the ``recipe.yaml`` that ``recipe`` was read from; None where it was not needed so far.
    :param recipe: the recipe.
    """

    folder: str
    stamp: str
    info: dict[str, Any]
    recipe_stamp: str | None = None
    recipe: dict[str, Any] | None = None

    @property
    def fault_of_recipe(self) -> str | None:
        """Why its recipe could not be read; None where it could, or was not asked for."""
        return (self.recipe or {}).get(_FAULT)

    @property
    def order(self) -> tuple[str, str]:
        """Sorts entries by when they were started."""
        return str(self.info.get("started") or ""), self.folder


class Index:
    """The runs under ``root``, brought up to date whenever asked for; safe with several threads and processes."""

    def __init__(self, root: Path) -> None:
        self.root, self._root = root, str(root)
        self._path = _place(root)
        self._entries: dict[str, IndexEntry] | None = None
        self._guard = threading.Lock()

    def entries(self, *, recipes: bool = False) -> list[IndexEntry]:
        """Every run, the one started last first.

        :param recipes: whether the entries are to hold the recipes as they are now; without, a recipe may be missing
            or older.
        """
        with self._guard:
            known = self._known()
            current = {entry.folder: self._with_recipe(entry) if recipes else entry for entry in self._scan(known)}
            self._keep(current, known)
            return sorted(current.values(), key=lambda entry: entry.order, reverse=True)

    def _known(self) -> dict[str, IndexEntry]:
        if self._entries is None:
            self._entries = {entry.folder: entry for entry in _load(self._path)}
        return self._entries

    def _scan(self, known: dict[str, IndexEntry]) -> Iterator[IndexEntry]:
        try:
            folders = os.scandir(self.root)
        except (FileNotFoundError, NotADirectoryError):
            return
        with folders:
            for folder in folders:
                stamp = None if folder.name.startswith(".") else _stamp(f"{folder.path}/{record.INFO}")
                if stamp is None:
                    continue
                entry = known.get(folder.name)
                if entry is None or entry.stamp != stamp:
                    entry = _read(Path(folder.path), stamp, entry)
                if entry is not None:
                    yield entry

    def _with_recipe(self, entry: IndexEntry) -> IndexEntry:
        # Text: making paths of thousands of folders takes longer than looking at them.
        stamp = _stamp(os.path.join(self._root, entry.folder, record.RECIPE)) or "missing"
        if stamp == entry.recipe_stamp:
            return entry
        try:
            recipe = record.json_value(record.read_recipe(self.root / entry.folder))
        except (CnnlabError, TypeError) as error:
            recipe = {_FAULT: str(error)}
        return replace(entry, recipe_stamp=stamp, recipe=recipe)

    def _keep(self, current: dict[str, IndexEntry], known: dict[str, IndexEntry]) -> None:
        changed = [entry for name, entry in current.items() if known.get(name) is not entry]
        gone = known.keys() - current.keys()
        self._entries = current
        if self._path is not None and (changed or gone):
            _save(self._path, changed, gone, current.values())


def _place(root: Path) -> Path | None:
    """Where the file lies: in the root; for one on the network, where SQLite is not safe, on a disk of this machine.

    None where there is no such place, so that what the runs say is kept in memory alone.
    """
    if not is_on_network(root):
        return root / INDEX
    # Of each machine its own, for a cache may be shared without being known to be.
    name = f"{digest([str(root.resolve()), platform.node()])[:40]}.sqlite"
    cache = cache_folder() / "indices"
    if is_on_network(cache):
        own = _own_folder()
        return None if own is None else own / name
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    return cache / name


def _own_folder() -> Path | None:
    """A folder of this user among the temporary files of this machine, which nobody else may read or write.

    None where these are on the network too, or something else has its name.
    """
    user = os.getuid() if hasattr(os, "getuid") else ""
    try:
        folder = Path(tempfile.gettempdir()) / f"cnnlab-{user}"
        if is_on_network(folder):
            return None
        folder.mkdir(mode=0o700, exist_ok=True)
        # Everybody may make folders and links there, under this name too.
        facts = folder.lstat()
    except OSError:
        return None
    is_own = stat.S_ISDIR(facts.st_mode) and facts.st_uid == user and not facts.st_mode & 0o077
    return folder if is_own else None


def _stamp(path: str) -> str | None:
    """What changes whenever a file is replaced or written; None where no such file can be reached."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return "/".join(map(str, file_stamp(facts)))


def _read(folder: Path, stamp: str, before: IndexEntry | None) -> IndexEntry | None:
    try:
        info = record.read_info(folder)
    except RunNotFoundError:
        # Deleted since the folder was listed.
        return None
    except (CnnlabError, OSError) as error:
        info = {"name": folder.name, "status": "damaged", "reason": str(error)}
    recipe = (before.recipe_stamp, before.recipe) if before else (None, None)
    return IndexEntry(folder.name, stamp, info, *recipe)


@contextmanager
def _opened(path: Path, *, write: bool) -> Iterator[sqlite3.Connection]:
    """A connection to the index; one that only reads neither makes the file nor needs the right to write."""
    mode = "rwc" if write else "ro"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_WAIT)) as connection:
        yield connection


def _load(path: Path | None) -> list[IndexEntry]:
    """The entries on disk; none when the file is missing, damaged or of another version."""
    if path is None or not path.is_file():
        return []
    try:
        with _opened(path, write=False) as connection:
            if _version(connection) != _VERSION:
                return []
            rows = connection.execute("SELECT folder, stamp, info, recipe_stamp, recipe FROM runs").fetchall()
            return [
                IndexEntry(a, b, json.loads(info), c, json.loads(recipe or "null")) for a, b, info, c, recipe in rows
            ]
    except (sqlite3.Error, OSError, ValueError, TypeError):
        return []


def _save(path: Path, changed: list[IndexEntry], gone: Iterable[str], everything: Iterable[IndexEntry]) -> None:
    """Brings the file up to date if that can be done; a damaged one is made anew, and a link is not written through."""
    try:
        if path.is_symlink():
            path.unlink()
            changed = list(everything)
        _write(path, changed, gone, everything)
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        # A damaged file may spoil even the message. The low byte is the kind of error, the rest its variety.
        if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _PASSING:
            return
        with suppress(OSError, sqlite3.Error, UnicodeDecodeError):
            path.unlink()
            _write(path, changed, gone, everything)


def _write(path: Path, changed: list[IndexEntry], gone: Iterable[str], everything: Iterable[IndexEntry]) -> None:
    with _opened(path, write=True) as connection, connection:
        # What a machine that loses its power spoils is made anew from the folders: nobody need wait for the disk.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN IMMEDIATE")
        if _version(connection) != _VERSION:
            _make(connection)
            changed = list(everything)
        connection.executemany("DELETE FROM runs WHERE folder = ?", [(name,) for name in gone])
        # A name that is no text finds no place in it; such a run is read anew each time.
        rows = [_row(entry) for entry in changed if _is_text(entry.folder)]
        connection.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", rows)


def _is_text(name: str) -> bool:
    return name.encode(errors="ignore").decode() == name


def _row(entry: IndexEntry) -> tuple[str | None, ...]:
    recipe = None if entry.recipe is None else json.dumps(entry.recipe)
    return entry.folder, entry.stamp, json.dumps(entry.info), entry.recipe_stamp, recipe


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _make(connection: sqlite3.Connection) -> None:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    for (name,) in tables.fetchall():
        connection.execute(f'DROP TABLE "{name}"')
    connection.execute(_TABLE)
    connection.execute(f"PRAGMA user_version = {_VERSION}")
