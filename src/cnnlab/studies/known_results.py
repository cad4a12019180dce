"""The result of a study that is finished, found by the words that asked for it, without working it out again."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError
from cnnlab.core.files import file_stamp
from cnnlab.runs.record import INFO, MODEL, PREDICTIONS
from cnnlab.studies.catalogue import STUDY
from cnnlab.studies.record import RESULT, STATE, StudyRecord
from cnnlab.studies.result import StudyResult
from cnnlab.training.known_commands import Command


def known_result(command: Command) -> StudyResult | None:
    """The result that a command came to before, where neither its runs nor its record changed since; None otherwise."""
    with suppress(CnnlabError, OSError, KeyError, TypeError, AttributeError):
        answer = command.answer()
        if answer is not None and _stamps(answer["stamps"]) == answer["stamps"]:
            return StudyRecord(Path(answer["folder"])).read_result()
    return None


def result_to_keep(result: StudyResult) -> dict[str, Any] | None:
    """What is kept of a command for a study; nothing where a trial is missing or the study is not over."""
    if result.missing or result.finished is None:
        return None
    starts_from = {str(s.recipe.get("parent") or "") + _weights(s.recipe) for s in result.trained}
    if any(starts_from):
        return None
    return {"folder": result.folder, "stamps": _stamps(map(str, _sources(result)))}


def _weights(recipe: Any) -> str:
    """Whether a model begins with stored weights, which may change by themselves."""
    return "weights" if "weights=" in str(recipe.get("model")).replace("weights=none", "") else ""


def _sources(result: StudyResult) -> Iterator[Path]:
    """The files that a result was worked out from, and that which holds it."""
    yield from (Path(result.folder) / name for name in (STUDY, STATE, RESULT))
    for run in sorted({trial.run for setting in result.all_settings for trial in setting.trials if trial.run}):
        folder = Path(result.runs) / run
        yield folder / INFO
        if (folder / MODEL).exists():
            yield folder / MODEL
        yield from sorted((folder / PREDICTIONS).glob("[!.]*.safetensors"))


def _stamps(paths: Any) -> dict[str, list[int]]:
    return {path: list(file_stamp(os.stat(path))) for path in paths}
