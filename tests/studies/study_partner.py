"""A process that takes part in a study, and tells what it trained of it."""

import json
import warnings
from pathlib import Path
from threading import Barrier

from small_studies import numbers

from cnnlab.studies import Study, ThreadExecutor
from cnnlab.studies.execution.executor import EpochDone


class Telling(ThreadExecutor):
    """Remembers the epochs that were trained here."""

    def __init__(self, **words):
        super().__init__(**words)
        self.epochs = []

    def events(self, timeout):
        told = super().events(timeout)
        self.epochs += [(event.folder.name, event.row["epoch"]) for event in told if isinstance(event, EpochDone)]
        return told


def take_part(content: dict, runs: Path, out: Path, all_there: Barrier) -> None:
    """Runs the study once all are there, and writes what was trained and what came out."""
    study = Study(content, runs=runs)
    executor = Telling(runs=runs, sets=study.trials.sets)
    all_there.wait()
    with warnings.catch_warnings():
        # Of trials that another process is at.
        warnings.simplefilter("ignore")
        result = study.run(executor=executor, workers=1)
    table = sorted((*key, sorted(scores.items())) for key, scores in numbers(result).items())
    out.write_text(json.dumps({"epochs": executor.epochs, "table": table, "missing": len(result.missing)}))
