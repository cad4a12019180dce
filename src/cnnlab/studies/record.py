"""The folder of a study beside its runs: the study as it was last run, what happened, and what came out.

``study.yaml`` is the study; ``state.json`` holds what the runs cannot tell (the execution fixed for all of them,
failures and their reasons, the steps of a search); ``result.json`` is a
:class:`~cnnlab.studies.result.StudyResult`. Every file is replaced whole. Finished and unfinished trials are not
listed: they are found among the runs, by digest.

Several processes may run one study, on one machine or on several that share the folder. Each trains what no other is
at, which the locks of the runs tell, and what one of them writes here the others take up.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from cnnlab.core import yaml
from cnnlab.core.digests import digest
from cnnlab.core.errors import DataError, RunBusyError
from cnnlab.core.file_systems import locks_hold
from cnnlab.core.files import clear_leftovers, make_folder, read_regular, storage_errors, write_text
from cnnlab.core.machine import machine_facts
from cnnlab.core.schemas import what_is_wrong
from cnnlab.runs.lock import LOCK, OWNER, RunLock, is_of_this_machine, owner, who
from cnnlab.runs.record import json_value, now
from cnnlab.runs.versions import versions, what_differs
from cnnlab.studies.catalogue import STUDY, question_of
from cnnlab.studies.merged_state import merged_state
from cnnlab.studies.result import StudyResult
from cnnlab.studies.state_schema import StudyState

if TYPE_CHECKING:
    from cnnlab.studies.study_file import StudyFile

STATE = "state.json"
RESULT = "result.json"
_TURN = ".turn"
_FORMAT = 1
_MOST_BYTES = 1 << 30
_TURN_SECONDS = 60.0
_LONGEST = 64
"""Characters of a version, or of the digest of a program."""


class StudyRecord:
    """What is known of a study between one start and the next.

    :param folder: the study's own; it need not exist before something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = _read_state(folder / STATE)
        self._since = time.monotonic()
        self._before = deepcopy(self.state)
        self._is_shared = False
        # Folders that were missing, the innermost first.
        self._made: list[Path] = []
        self._lock = FileLock(folder / LOCK, thread_local=False)
        # Held while the state is read and written, by one process at a time.
        self._turn = FileLock(folder / _TURN, timeout=_TURN_SECONDS, thread_local=False)

    @property
    def execution(self) -> dict[str, Any]:
        """What was fixed for all trials; empty before the first start."""
        return dict(self.state.get("execution") or {})

    @property
    def question(self) -> str | None:
        """What the study asked when it was last run; None before its first start."""
        return question_of(self.folder / STUDY) or None

    @property
    def asked(self) -> Mapping[str, Any]:
        """What the study asked for when its execution was fixed."""
        keys: Mapping[str, Any] = self.state.get("asked") or {}
        return keys

    @property
    def failures(self) -> dict[str, dict[str, Any]]:
        """By digest of the trial: ``kind``, ``reason``, ``run``."""
        by_trial: dict[str, dict[str, Any]] = self.state.setdefault("failures", {})
        return by_trial

    @property
    def attempts(self) -> dict[str, int]:
        """By digest of the trial, how often it was begun."""
        by_trial: dict[str, int] = self.state.setdefault("attempts", {})
        return by_trial

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The steps of a search, in order; see :mod:`cnnlab.studies.search`."""
        steps: list[dict[str, Any]] = self.state.setdefault("steps", [])
        return steps

    def looks(self, asked: str) -> tuple[int, ...]:
        """Repeats of every setting at each look at the numbers.

        :param asked: a digest of what is compared; looks at other things do not count.
        """
        looks = self.state.get("looks") or {}
        return tuple(looks["made"]) if looks.get("asked") == asked else ()

    def note_look(self, asked: str, repeats: int) -> None:
        """Counts a look at the numbers, where there are more of them than before."""
        made = self.looks(asked)
        if repeats > max(made, default=0):
            self.state["looks"] = {"asked": asked, "made": [*made, repeats]}

    def hold(self, file: "StudyFile | None" = None) -> bool:
        """Takes the study for this process, or joins others that run just the same; whether it joined some.

        :param file: what is to be run, where it may be run by several processes at once; it is written down.
        :raises RunBusyError: when another process is at work on it, and this one cannot join.
        """
        self._made = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        make_folder(self.folder)
        self._check_locks()
        with storage_errors(self.folder), self._turn:
            is_first = self._take()
            try:
                # Two machines that start at once find no note of the other before each has left its own.
                self._check_locks()
            except RunBusyError:
                self.release()
                raise
            if not is_first:
                self._check_same(file)
            if is_first:
                clear_leftovers(self.folder)
            # What it wrote until a moment ago counts.
            self.state = _read_state(self.folder / STATE)
            self._before, self._is_shared = deepcopy(self.state), file is not None
            if file is not None:
                self.write_study(file)
            if not is_first:
                # By this the one that made the folder sees that it is not to be removed.
                self.state = {"format": _FORMAT, "started": now(), **self.state}
                self._write()
        self._since = time.monotonic()
        return not is_first

    def forget_if_new(self) -> bool:
        """Removes the folders that :meth:`hold` made, where nothing came of the study; whether that is so.

        It was refused then, or stopped before it was settled how its trials are carried out.
        """
        if not self._made:
            return False
        with storage_errors(self.folder), self._turn:
            if (self.folder / STATE).exists():
                return False
            for name in (STUDY, self._note, LOCK, _TURN):
                with suppress(OSError):
                    (self.folder / name).unlink()
            for folder in self._made:
                with suppress(OSError):
                    folder.rmdir()
        return True

    def release(self) -> None:
        """Gives the study free."""
        if self._lock.is_locked:
            (self.folder / self._note).unlink(missing_ok=True)
        self._lock.release(force=True)
        # Whoever saves afterwards is not at work on it, and does not take it again.
        self._is_shared = False

    def refresh(self) -> None:
        """Takes up what other processes that run the study have written."""
        if self._is_shared:
            with storage_errors(self.folder), self._turn:
                self._take_up()

    def _take(self) -> bool:
        """Whether this process is the first of those at work; the next takes over where that has left."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        RunLock(self.folder).sign(self._note, versions=versions())
        return True

    @property
    def _note(self) -> str:
        """The note of who is at work; where locks are not known to hold, each machine has one of its own.

        One for all would say only who wrote it last.
        """
        if locks_hold(self.folder):
            return OWNER
        return f"{Path(OWNER).stem}-{digest(machine_facts())[:16]}{Path(OWNER).suffix}"

    def _check_same(self, file: "StudyFile | None") -> None:
        """Refuses to join those who run another study of the name, or run it by another program."""
        if file is None or _read_text(self.folder / STUDY) != _text_of(file):
            raise RunBusyError(
                f"another process is running the study {self.folder.name} just now. Wait until it is done, or stop "
                "it. Several run one study together where it is the same in every word, and no search."
            )
        differs = self._what_differs()
        if differs is not None:
            raise RunBusyError(
                f"another process is running the study {self.folder.name} just now, and this one cannot join it: "
                f"{differs}. Or wait until it is done"
            )

    def _what_differs(self) -> str | None:
        """What this program is other than that of who is at work, who says so in the note."""
        holder = owner(self.folder, self._note)
        theirs, name = holder.get("versions"), who(self.folder, self._note)
        if isinstance(theirs, dict):
            return what_differs({fact: str(theirs.get(fact) or "")[:_LONGEST] for fact in versions()}, name)
        # A note that is gone is that of one who just leaves.
        return f"{name} has an older cnnlab. Install the same there" if holder else None

    def _check_locks(self) -> None:
        """Refuses to run it beside another machine where their locks are not known to hold."""
        if locks_hold(self.folder):
            return
        for path in sorted(self.folder.glob(f"{Path(OWNER).stem}*{Path(OWNER).suffix}")):
            if is_of_this_machine(owner(self.folder, path.name)):
                continue
            raise RunBusyError(
                f"the study {self.folder.name} is being run by {who(self.folder, path.name)}, and locks are not known "
                f"to hold between machines in {self.folder.parent}, so that the two would spoil each other's runs. Run "
                "it on one machine, or in a folder with locks, such as NFS mounted without nolock. If it is not run "
                f"there any more, remove {path}"
            )

    def _take_up(self) -> None:
        theirs = _read_state(self.folder / STATE)
        self.state = merged_state(self._before, self.state, theirs)
        self._before = deepcopy(theirs)

    def write_study(self, file: "StudyFile") -> None:
        """Replaces ``study.yaml``."""
        write_text(self.folder / STUDY, _text_of(file))

    def save(self) -> None:
        """Replaces ``state.json``, with the time spent so far and what others wrote since."""
        moment = time.monotonic()
        spent = float(self.state.get("wall_seconds") or 0.0) + moment - self._since
        self._since = moment
        self.state = {"format": _FORMAT, "started": now(), **self.state, "updated": now(), "wall_seconds": spent}
        if not self._is_shared:
            self._write()
            return
        with storage_errors(self.folder), self._turn:
            self._take()
            self._take_up()
            self._write()
            self._before = deepcopy(self.state)

    def _write(self) -> None:
        write_text(self.folder / STATE, json.dumps(json_value(self.state), indent=1, ensure_ascii=False) + "\n")

    def write_result(self, result: StudyResult) -> None:
        """Replaces ``result.json``."""
        text = json.dumps(result.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        write_text(self.folder / RESULT, text + "\n")

    def read_result(self) -> StudyResult:
        """What ``result.json`` holds.

        :raises DataError: when there is none, or it is damaged.
        """
        path = self.folder / RESULT
        try:
            return StudyResult.from_dict(json.loads(read_regular(path, _MOST_BYTES)))
        except FileNotFoundError:
            raise DataError(f"the study {self.folder.name} has no result yet. Run it: cnnlab study run FILE") from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise DataError(f"{path} is damaged. Run the study again: trained trials are not trained again.") from None


def _text_of(file: "StudyFile") -> str:
    content = file.model_dump(mode="json", exclude_none=True)
    kept = {key: value for key, value in content.items() if value not in ([], {})}
    return yaml.dump(json_value(kept))


def _read_text(path: Path) -> str:
    try:
        return read_regular(path, _MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        return ""


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(read_regular(path, _MOST_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        state = None
    version = state.get("format") if isinstance(state, dict) else None
    if isinstance(version, int) and version > _FORMAT:
        raise DataError(f"{path} was written by a later version of cnnlab. Update cnnlab to go on with the study.")
    wrong = what_is_wrong(StudyState, state)
    if wrong is not None:
        raise DataError(
            f"{path} is damaged ({wrong}). Delete it and run the study again: trained trials are not trained again."
        )
    return dict(state)
