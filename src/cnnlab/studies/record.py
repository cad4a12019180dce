"""The folder of a study beside its runs: the study as it was last run, what happened, and what came out.

``study.yaml`` is the study; ``state.json`` holds what the runs cannot tell (the execution fixed for all of them,
failures and their reasons, the steps of a search); ``result.json`` is a
:class:`~cnnlab.studies.result.StudyResult`. Every file is replaced whole. Finished and unfinished trials are not
listed: they are found among the runs, by digest.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from cnnlab.core import yaml
from cnnlab.core.errors import DataError, RunBusyError
from cnnlab.core.files import clear_leftovers, make_folder, read_regular, storage_errors, write_text
from cnnlab.core.schemas import what_is_wrong
from cnnlab.runs.record import json_value, now
from cnnlab.studies.catalogue import STUDY, question_of
from cnnlab.studies.result import StudyResult
from cnnlab.studies.state_schema import StudyState

if TYPE_CHECKING:
    from cnnlab.studies.study_file import StudyFile

STATE = "state.json"
RESULT = "result.json"
_FORMAT = 1
_MOST_BYTES = 1 << 30


class StudyRecord:
    """What is known of a study between one start and the next.

    :param folder: the study's own; it need not exist before something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = _read_state(folder / STATE)
        self._since = time.monotonic()
        self._lock = FileLock(folder / ".lock", thread_local=False)

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

    def hold(self) -> None:
        """Takes the study for this process.

        :raises RunBusyError: when another process is at work on it.
        """
        make_folder(self.folder)
        try:
            with storage_errors(self.folder):
                self._lock.acquire(timeout=0)
        except Timeout:
            raise RunBusyError(
                f"another process is running the study {self.folder.name} just now. Wait until it is done, or stop it."
            ) from None
        clear_leftovers(self.folder)
        # What it wrote until a moment ago counts.
        self.state = _read_state(self.folder / STATE)
        self._since = time.monotonic()

    def release(self) -> None:
        """Gives the study free."""
        self._lock.release(force=True)

    def write_study(self, file: "StudyFile") -> None:
        """Replaces ``study.yaml``."""
        content = file.model_dump(mode="json", exclude_none=True)
        kept = {key: value for key, value in content.items() if value not in ([], {})}
        write_text(self.folder / STUDY, yaml.dump(json_value(kept)))

    def save(self) -> None:
        """Replaces ``state.json``, with the time spent so far."""
        moment = time.monotonic()
        spent = float(self.state.get("wall_seconds") or 0.0) + moment - self._since
        self._since = moment
        self.state = {"format": _FORMAT, "started": now(), **self.state, "updated": now(), "wall_seconds": spent}
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
