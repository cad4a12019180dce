"""One question, many trainings, honest statistics.

The names below are imported when they are first used: a stored result is read without torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnlab.studies.dataframes import settings_frame as settings_frame
    from cnnlab.studies.dataframes import trials_frame as trials_frame
    from cnnlab.studies.execution.executor import Executor as Executor
    from cnnlab.studies.execution.process_executor import ProcessExecutor as ProcessExecutor
    from cnnlab.studies.execution.runner import StudyInterrupted as StudyInterrupted
    from cnnlab.studies.execution.thread_executor import ThreadExecutor as ThreadExecutor
    from cnnlab.studies.planning import StudyPlan as StudyPlan
    from cnnlab.studies.result import StudyResult as StudyResult
    from cnnlab.studies.study import Study as Study

_HOMES = {
    "Executor": "execution.executor",
    "ProcessExecutor": "execution.process_executor",
    "Study": "study",
    "StudyInterrupted": "execution.runner",
    "StudyPlan": "planning",
    "StudyResult": "result",
    "ThreadExecutor": "execution.thread_executor",
    "settings_frame": "dataframes",
    "trials_frame": "dataframes",
}
__all__ = [
    "Executor",
    "ProcessExecutor",
    "Study",
    "StudyInterrupted",
    "StudyPlan",
    "StudyResult",
    "ThreadExecutor",
    "settings_frame",
    "trials_frame",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
