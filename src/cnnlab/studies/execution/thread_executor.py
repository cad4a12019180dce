"""Trainings one after another in this very process, in a thread: for debugging, tests, and a machine of one core."""

import queue
import threading
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from cnnlab.data import Dataset
from cnnlab.studies.execution.executor import Event, Executor, Throughput, TrialRequest
from cnnlab.studies.execution.run_trial import run_trial, time_steps
from cnnlab.studies.execution.shared_data import DatasetCache


class ThreadExecutor(Executor):
    """One training at a time. It can be stopped between two epochs only, and what crashes it crashes all."""

    def __init__(
        self,
        *,
        runs: Path,
        data_dir: Path | None = None,
        offline: bool = False,
        sets: MutableMapping[str, Dataset] | None = None,
    ) -> None:
        self._runs, self._data_dir, self._offline = runs, data_dir, offline
        self._sets = DatasetCache() if sets is None else sets
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closing = False

    @property
    def slots(self) -> int:
        """One."""
        return 1

    def submit(self, request: TrialRequest) -> None:
        """Begins the training in a thread of its own."""
        self._thread = threading.Thread(target=self._train, args=(request,), daemon=True)
        self._thread.start()

    def events(self, timeout: float) -> Sequence[Event]:
        """What happened, waiting for the first."""
        try:
            told = [self._events.get(timeout=timeout)]
        except queue.Empty:
            return []
        while not self._events.empty():
            told.append(self._events.get())
        return told

    def answer(self, number: int, go_on: bool) -> None:
        """Passed on to the training that waits for it."""
        self._answers.put(go_on)

    def pace(self, recipe: Mapping[str, Any], at_once: int, threads: int) -> Throughput:
        """Timed here, one at a time whatever is asked."""
        timed = {**recipe, "threads": threads}
        timing = time_steps(timed, data_dir=self._data_dir, offline=self._offline, datasets=self._sets)
        return Throughput(1, threads, timing.images_per_second, timing.execution.to_dict(), timing.choice.to_dict())

    def close(self) -> None:
        """Stops after the epoch that is under way."""
        self._is_closing = True
        self._answers.put(False)
        if self._thread is not None:
            self._thread.join()

    def _train(self, request: TrialRequest) -> None:
        last = run_trial(
            request,
            runs=self._runs,
            data_dir=self._data_dir,
            offline=self._offline,
            datasets=self._sets,
            tell=self._events.put,
            may_go_on=lambda: self._may_go_on(request),
        )
        self._events.put(last)

    def _may_go_on(self, request: TrialRequest) -> bool:
        answer = self._answers.get() if request.is_judged and not self._is_closing else True
        return answer and not self._is_closing
