"""Run folders of trainings on machines that do not see the folder of runs: taken there, and brought home as they grow.

What is brought home must be what a kill could have left at some moment, for a run goes on from that. A training
writes a checkpoint last, after all that belongs to the epochs behind it. So the checkpoint is read first and put away
last, and beside it ``run.json``, which says that all is there once a run is finished: all else is then as new, or
newer. Newer it may be, as after a kill between two files: what comes after the checkpoint is computed again, to the
same bits.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab.core.errors import CnnlabError, RunBusyError
from cnnlab.core.files import file_stamp, write_bytes
from cnnlab.models import ModelSpec
from cnnlab.models.pretrained_weights import run_named
from cnnlab.runs import Run, RunStore
from cnnlab.runs.lock import RunLock
from cnnlab.runs.record import CHECKPOINT, INFO, RECIPE, is_run
from cnnlab.runs.writer import make_whole
from cnnlab.training import Recipe

Content = bytes | np.ndarray[Any, Any]
"""Of a file; an array of its bytes where it is large, for those lie in Ray's object store without another copy."""
_LARGE = 1 << 20


@dataclass(frozen=True)
class Shipment:
    """Files of run folders, on their way.

    :param files: by the name of the folder and the path in it, in the order in which they are to be written.
    :param there: all files that the folders have, where the training is over: others were removed.
    """

    files: Mapping[str, Mapping[str, Content]] = field(default_factory=dict)
    there: Mapping[str, frozenset[str]] | None = None


class RunsAway:
    """The runs of one training on a machine of its own, under ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # Held from the making of a shipment until it is sent, so that they come home in order.
        self._guard = threading.Lock()
        self._sent: dict[tuple[str, str], tuple[int, ...]] = {}

    def place(self, shipment: Shipment) -> None:
        """Writes what came from home, to go on with or to begin from."""
        for name, files in shipment.files.items():
            for path, content in files.items():
                write_bytes(self.root / name / path, _bytes(content))
                self._sent[name, path] = file_stamp((self.root / name / path).stat())

    @property
    def is_due(self) -> bool:
        """Whether a run was begun, or a checkpoint written, since the last shipment."""
        for folder in _folders(self.root):
            for path in (f"{CHECKPOINT}/state.safetensors", RECIPE):
                with suppress(OSError):
                    if self._sent.get((folder.name, path)) != file_stamp((folder / path).stat()):
                        return True
        return False

    def has_sent(self, name: str) -> bool:
        """Whether a run is known at home."""
        return (name, INFO) in self._sent

    @contextmanager
    def sending(self, *, is_last: bool = False) -> Iterator[Shipment]:
        """A block that sends all that changed since the last one; where it fails, the next has that once more.

        :param is_last: whether nothing will change any more.
        """
        with self._guard:
            before = dict(self._sent)
            try:
                yield self._shipment(is_last)
            except BaseException:
                self._sent = before
                raise

    def _shipment(self, is_last: bool) -> Shipment:
        files: dict[str, dict[str, Content]] = {}
        there = {}
        for folder in _folders(self.root):
            paths = sorted(_paths(folder), key=_rank)
            there[folder.name] = frozenset(paths)
            read = {path: content for path in paths if (content := self._changed(folder, path)) is not None}
            if read:
                files[folder.name] = dict(reversed(read.items()))
        return Shipment(files, there if is_last else None)

    def _changed(self, folder: Path, path: str) -> Content | None:
        try:
            stamp = file_stamp((folder / path).stat())
            if self._sent.get((folder.name, path)) == stamp:
                return None
            content = _read(folder / path)
        except FileNotFoundError:
            # A checkpoint is removed, and a file replaced, while this looks on.
            return None
        self._sent[folder.name, path] = stamp
        return content


class RunsAtHome:
    """The runs of one training in the folder of runs, while another machine trains it: they are locked here.

    :param recipe: of the training.
    """

    def __init__(self, runs: Path, recipe: Mapping[str, Any]) -> None:
        self.store, self.recipe = RunStore(runs), recipe
        self._locks: dict[str, RunLock] = {}
        self._known: dict[str, set[str]] = {}

    def shipment(self) -> Shipment:
        """The runs of this recipe that are there, and those that it begins from.

        :raises RunBusyError: where another process is at work on one of them.
        """
        for folder in self._own():
            lock = RunLock(folder)
            lock.acquire()
            lock.sign()
            self._locks[folder.name] = lock
        folders = [*(self.store.root / name for name in self._locks), *self._named()]
        files = {folder.name: {path: _read(folder / path) for path in _paths(folder)} for folder in folders}
        self._known = {name: set(own) for name, own in files.items() if name in self._locks}
        return Shipment(files)

    def take(self, shipment: Shipment) -> None:
        """Puts away what came home.

        :raises RunBusyError: where another process has begun that run meanwhile.
        :raises StorageError: where there is no room for it.
        """
        for name, files in shipment.files.items():
            folder = self.store.root / name
            if name in self._locks:
                _write(folder, files)
            else:
                self._locks[name] = self._made(folder, files)
            self._known.setdefault(name, set()).update(files)
        for name, paths in (shipment.there or {}).items():
            for path in self._known.get(name, set()) - paths:
                (self.store.root / name / path).unlink(missing_ok=True)
                with suppress(OSError):
                    (self.store.root / name / path).parent.rmdir()

    def release(self) -> None:
        """Gives the runs free."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()

    def _made(self, folder: Path, files: Mapping[str, Content]) -> RunLock:
        if is_run(folder):
            raise RunBusyError(f"another process has begun the run {folder.name} meanwhile.")
        return make_whole(folder, lambda temporary: _write(temporary, files), store=self.store.root)

    def _own(self) -> Iterator[Path]:
        """The runs of this recipe, those of its folds among them."""
        asked = Recipe.read(self.recipe)
        identity, plain = _identity(asked), asked.to_dict()
        for summary in self.store.list():
            is_alike = all(summary.recipe.get(key) == plain.get(key) for key in ("seed", "data"))
            # Recipes of other things than trainings are not read as these.
            if is_alike and not summary.info.get("ensemble") and not summary.info.get("transfer"):
                with suppress(CnnlabError):
                    if _identity(Recipe.read(summary.recipe)) == identity:
                        yield summary.folder

    def _named(self) -> Iterator[Path]:
        """The runs that the recipe begins from, and the members of those that are ensembles.

        :raises RunNotFoundError: where it names one that is not there.
        """
        recipe = Recipe.read(self.recipe)
        weights = recipe.model.parsed.weights if isinstance(recipe.model.parsed, ModelSpec) else None
        names = [recipe.parent, run_named(recipe.weights), run_named(weights)]
        waiting = [self.store.find(name).folder for name in names if name is not None]
        seen = set(self._locks)
        while waiting:
            folder = waiting.pop()
            if folder.name not in seen:
                seen.add(folder.name)
                yield folder
                waiting += [folder.with_name(name) for name in Run(folder).needs if is_run(folder.with_name(name))]


def _identity(recipe: Recipe) -> dict[str, Any]:
    """What makes two trainings the same, but for the content of their data and which fold they hold out."""
    return {key: value for key, value in recipe.identity("").items() if key != "fold"}


def _read(path: Path) -> Content:
    if path.stat().st_size < _LARGE:
        return path.read_bytes()
    content: Content = np.fromfile(path, dtype=np.uint8)
    return content


def _bytes(content: Content) -> memoryview:
    return content.data if isinstance(content, np.ndarray) else memoryview(content)


def _write(folder: Path, files: Mapping[str, Content]) -> None:
    for path, content in files.items():
        write_bytes(folder / path, _bytes(content))


def _folders(root: Path) -> list[Path]:
    return [folder for folder in sorted(root.glob("[!.]*")) if is_run(folder)]


def _paths(folder: Path) -> list[str]:
    """The files of a run but for hidden ones, which are locks, and those that are being written."""
    found = []
    # It passes over a folder that is removed meanwhile, which Path.rglob of Python 3.11 does not.
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in files if not name.startswith("."))
        found += [path.relative_to(folder).as_posix() for path in paths if path.is_file()]
    return found


def _rank(path: str) -> tuple[int, str]:
    """The order in which to read: the checkpoint and then the record before what these say is there."""
    return (0 if path.startswith(f"{CHECKPOINT}/") else 1 if path == INFO else 2), path
