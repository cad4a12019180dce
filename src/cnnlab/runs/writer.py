"""Writing the record of a run, by the one process that owns it."""

import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from cnnlab.core.errors import RunBusyError, RunExistsError, RunNotFoundError, UsageError
from cnnlab.core.files import make_folder, storage_errors
from cnnlab.runs import record
from cnnlab.runs.history import write_history
from cnnlab.runs.lock import RunLock, is_locked
from cnnlab.runs.predictions import Predictions
from cnnlab.runs.step_log import StepLog

CREATING = ".creating-"
_LONGEST_NAME = 120
_SHOWN_DIGITS = 8
_FORBIDDEN = set('/\\:*?"<>|')


class RunWriter:
    """The record of one training while it is written; holds the run's lock until :meth:`close`.

    Made by :meth:`create` or :meth:`open`, used as a context manager. Every file but ``live.jsonl`` is replaced
    whole, so that a reader or a kill finds the old one or the new one.
    """

    def __init__(self, folder: Path, lock: RunLock, info: Mapping[str, Any]) -> None:
        self.folder = folder
        self._lock, self._info = lock, dict(info)
        self._live = StepLog(folder)
        self._is_open = True

    @classmethod
    def create(
        cls,
        root: Path | str,
        *,
        digest: str,
        recipe: Mapping[str, Any],
        name: str,
        repeat: int = 1,
        info: Mapping[str, Any] | None = None,
        fill: Callable[[Path], None] | None = None,
    ) -> "RunWriter":
        """Makes the folder of a new run under ``root``, which appears there complete and locked or not at all.

        :param digest: of the recipe in its canonical form.
        :param recipe: plain values, in the order in which a person should read them.
        :param repeat: 1 for the first run of this digest, counting on for others beside it.
        :param info: further fields of ``run.json``.
        :param fill: called with the folder before it appears, to write what it is to hold from the first.
        :raises UsageError: when the name cannot be a folder's, or a run lies there already.
        :raises RunBusyError: when another process has just started that run.
        :raises StorageError: when the folder cannot be written.
        """
        folder = Path(root) / folder_name(name, digest, repeat)
        facts = record.merged(_first_facts(digest, folder.name, repeat, record.now()), info or {})

        def begin(temporary: Path) -> None:
            record.write_recipe(temporary, recipe)
            record.write_info(temporary, facts)
            if fill is not None:
                fill(temporary)

        return cls(folder, make_whole(folder, begin), facts)

    @classmethod
    def open(cls, folder: Path | str) -> "RunWriter":
        """Takes over a run that lies there, to go on with it or to add to it; a failed one counts as unfinished again.

        :raises RunNotFoundError: when the folder is not a run.
        :raises RunBusyError: naming the owner, when another process holds it.
        """
        folder = Path(folder)
        record.read_info(folder)
        lock = RunLock(folder)
        try:
            lock.acquire()
            # Read again: what was read before the lock was held may be gone, or another's.
            info = record.read_info(folder)
            lock.sign()
            writer = cls(folder, lock, info)
            if info.get("status") == "failed":
                writer.update(status="unfinished", reason=None)
            return writer
        except FileNotFoundError:
            lock.release()
            raise RunNotFoundError(f"the run {folder.name} was deleted just now.") from None
        except BaseException:
            lock.release()
            raise

    @property
    def info(self) -> dict[str, Any]:
        """The content of ``run.json`` as last written."""
        return dict(self._info)

    def path(self, name: str) -> Path:
        """The path of a file of the run."""
        return self.folder / name

    def update(self, **facts: Any) -> None:
        """Puts facts into ``run.json``: mappings are merged with what stands there, anything else replaces it.

        :raises StorageError: when it cannot be written; the file and what this writer holds stay as they were.
        """
        self._check_open()
        if facts.get("status", "unfinished") not in record.STATUSES:
            raise ValueError(f"status is one of {record.STATUSES}, not {facts['status']!r}")
        info = record.merged(self._info, record.json_value({**facts, "updated": record.now()}))
        record.write_info(self.folder, info)
        self._info = info

    def warning(self, text: str) -> None:
        """Adds a text to the run's warnings, once."""
        warnings = self._info.get("warnings") or []
        if text not in warnings:
            self.update(warnings=[*warnings, text])

    def finish(self, scores: Mapping[str, Mapping[str, float]], **facts: Any) -> None:
        """Records the final scores of each split and that the run is finished."""
        self.update(**facts, scores=scores, status="finished", finished=record.now(), reason=None)

    def fail(self, reason: str, **facts: Any) -> None:
        """Records that the run failed, and why."""
        self.update(**facts, status="failed", reason=reason)

    def history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replaces ``history.csv``: a row an epoch; columns in the order in which they first come up.

        Numbers are written so that they read back the same to the bit.
        """
        self._check_open()
        write_history(self.path(record.HISTORY), rows)

    def live(self, entry: Mapping[str, Any]) -> None:
        """Appends one record to ``live.jsonl``."""
        self._check_open()
        self._live.append(entry)

    def truncate_live(self, step: int) -> None:
        """Drops the records of ``step`` and later from ``live.jsonl``, for a run that goes on before them."""
        self._check_open()
        self._live.truncate(step)

    def predictions(self, predictions: Predictions) -> Path:
        """Writes ``predictions/SPLIT.safetensors``."""
        self._check_open()
        path = self.path(record.PREDICTIONS) / f"{predictions.split}.safetensors"
        predictions.save(path)
        return path

    def close(self) -> None:
        """Gives the run free; closing twice does no harm."""
        self._is_open = False
        try:
            self._live.close()
        finally:
            self._lock.release()

    def __enter__(self) -> "RunWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RunWriter({str(self.folder)!r}{'' if self._is_open else ', closed'})"

    def _check_open(self) -> None:
        if not self._is_open:
            raise ValueError(f"the writer of {self.folder.name} is closed")


def make_whole(
    folder: Path, fill: Callable[[Path], None], *, store: Path | None = None, aside: Path | None = None
) -> RunLock:
    """The folder of a run, which appears complete and locked or not at all; gives its lock, which is held.

    :param fill: called with a hidden folder, to write all that it is to hold.
    :param store: the folder of runs, in which the hidden folder lies, and is cleared away after a kill.
    :param aside: where what lies in its place is moved at the last moment; without, it is refused.
    :raises UsageError: when a run lies there already.
    :raises RunBusyError: when another process has just started that run.
    :raises StorageError: when the folder cannot be written.
    """
    if aside is None:
        _check_free(folder)
    make_folder(folder.parent)
    temporary = make_folder(store or folder.parent) / f"{CREATING}{os.getpid()}-{secrets.token_hex(4)}"
    lock = RunLock(temporary)
    try:
        make_folder(temporary)
        lock.acquire()
        lock.sign()
        fill(temporary)
        if aside is not None and os.path.lexists(folder):
            with storage_errors(folder):
                folder.rename(aside)
        lock.carry(lambda: _move_into_place(temporary, folder))
    except BaseException:
        lock.release()
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return lock


def folder_name(name: str, digest: str, repeat: int = 1) -> str:
    """``NAME-DIGEST8``, with ``-REPEAT`` from the second repeat on.

    :raises UsageError: when the name cannot be a part of a folder's name.
    """
    is_plain = name.isprintable() and name == name.strip() and not set(name) & _FORBIDDEN
    if not name or not is_plain or name.startswith((".", "-")) or len(name.encode()) > _LONGEST_NAME:
        raise UsageError(
            f"{name!r} cannot name a run: a name becomes a folder. Take letters, digits, hyphens and dots, at most "
            f"{_LONGEST_NAME} of them, not starting with a dot or a hyphen."
        )
    if name == "last":
        raise UsageError("a run cannot be called last: that word stands for the run started last. Take another name.")
    return name + ending(digest, repeat)


def ending(digest: str, repeat: int) -> str:
    """What is put behind the name given to a run."""
    return f"-{digest[:_SHOWN_DIGITS]}{f'-{repeat}' if repeat > 1 else ''}"


def _first_facts(digest: str, name: str, repeat: int, started: str) -> dict[str, Any]:
    return {
        "format": record.FORMAT,
        "digest": digest,
        "name": name,
        "repeat": repeat,
        "status": "unfinished",
        "started": started,
        "updated": started,
        "finished": None,
        "seconds": 0.0,
        "epochs_done": 0,
        "epochs": None,
        "step": 0,
        "selected": None,
        "scores": {},
        "execution": {},
        "environment": {},
        "data": {},
        "parent": None,
        "warnings": [],
        "reason": None,
    }


def _check_free(folder: Path) -> None:
    if is_locked(folder):
        raise RunBusyError(f"another process has just started the run {folder.name}. Wait until it is done.")
    if os.path.lexists(folder):
        raise RunExistsError(f"{folder} exists already. Resume that run, delete it, or give this one another name.")


def _move_into_place(temporary: Path, folder: Path) -> Path:
    with storage_errors(folder):
        try:
            return temporary.rename(folder)
        except OSError:
            # Two processes may have made the same run at one time; the first to get here has it.
            _check_free(folder)
            raise
