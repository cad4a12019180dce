"""A study on a Ray cluster by a process of its own, which is killed in the middle of a trial."""

import os
import signal
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnlab.runs import Run
from cnnlab.studies import RayExecutor, Study
from cnnlab.studies.execution.executor import EpochDone

# Of each trial, of six.
KILLED_AFTER = 3


class Counting(RayExecutor):
    """Brings runs home, and writes down each epoch that is trained, by its trial."""

    trained: Path

    def submit(self, request):
        # The moment of each epoch is the same wherever this runs.
        super().submit(replace(request, is_judged=True))

    def events(self, timeout):
        events = super().events(timeout)
        for event in events:
            if isinstance(event, EpochDone):
                with self.trained.open("a") as file:
                    file.write(f"{Run(event.folder).digest} {event.row['epoch']}\n")
                self.heed(event)
                self.answer(event.number, True)
        return events

    def heed(self, event):
        """Nothing more."""


class Killed(Counting):
    """Is killed in the middle of the second trial."""

    def heed(self, event):
        if event.number == 1 and event.row["epoch"] == KILLED_AFTER:
            os.kill(os.getpid(), signal.SIGKILL)


def run_on(kind: type[Counting], content: dict[str, Any], runs: Path, address: str | None = None) -> Any:
    """Runs a study on the cluster at an address, or the one that this process is connected to."""
    warnings.simplefilter("ignore")
    kind.trained = runs.with_name("trained")
    executor = kind(runs=runs, address=address, workers=1, is_shared=False)
    return Study(content, runs=runs).run(executor=executor, workers=1)
