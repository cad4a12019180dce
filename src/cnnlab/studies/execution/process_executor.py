"""Trainings in worker processes on this machine, which stay up from one training to the next."""

import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError
from cnnlab.core.machine import WINDOWS
from cnnlab.data import Dataset
from cnnlab.studies.execution.executor import (
    PACE_SECONDS,
    SAVE_SECONDS,
    Event,
    Executor,
    Failed,
    Last,
    Throughput,
    TrialRequest,
)
from cnnlab.studies.execution.run_trial import StepTiming
from cnnlab.studies.execution.shared_data import share_dataset
from cnnlab.studies.execution.worker import WorkerConfig, work
from cnnlab.studies.python_objects import Parcel
from cnnlab.training import Recipe
from cnnlab.training.prepare import data_key

_START_SECONDS = 300.0
# Of timing a few steps, for which data may have to be decoded and a network to be compiled.
_ANSWER_SECONDS = 900.0


@dataclass(eq=False)
class _Worker:
    """A worker process, its pipe, what it is at, and which data sets it was given."""

    process: Any
    connection: Connection
    request: TrialRequest | None = None
    given: list[str] = field(default_factory=list)

    def send(self, kind: str, content: Any) -> None:
        with suppress(BrokenPipeError, OSError):
            # That it is dead is told by its pipe, with the next events.
            self.connection.send((kind, content))


class ProcessExecutor(Executor):
    """Workers on this machine, started when they are first needed.

    :param workers: how many at the same time.
    :param sets: data sets already loaded, by :func:`~cnnlab.training.prepare.data_key`; workers get those they need
        through shared memory, and load others themselves.
    :param objects: that recipes stand for, which were given in Python.
    """

    def __init__(
        self,
        workers: int,
        *,
        runs: Path,
        data_dir: Path | None = None,
        offline: bool = False,
        sets: Mapping[str, Dataset] | None = None,
        objects: Sequence[Parcel] = (),
    ) -> None:
        self._count, self._config = workers, WorkerConfig(runs, data_dir, offline, tuple(objects))
        self._sets = sets if sets is not None else {}
        self._workers: list[_Worker] = []

    @property
    def slots(self) -> int:
        """As many as workers."""
        return self._count

    def resize(self, workers: int) -> None:
        """Another number of workers from now on; idle ones beyond it end."""
        self._count = workers
        for worker in self._workers[workers:]:
            if worker.request is None:
                self._end(worker)

    def submit(self, request: TrialRequest) -> None:
        """Gives the request to a free worker, starting one where none is up."""
        worker = self._free()
        worker.request = request
        self._share(worker, request.recipe)
        worker.send("train", request)

    def events(self, timeout: float) -> Sequence[Event]:
        """What the workers told; of one that died, that its training failed."""
        busy = {worker.connection: worker for worker in self._workers if worker.request is not None}
        if not busy:
            time.sleep(timeout)
            return []
        ready = wait(list(busy), timeout)
        return [event for connection in ready for event in self._told(busy[connection])]  # type: ignore[index]

    def answer(self, number: int, go_on: bool) -> None:
        """Passed on to the worker that waits for it."""
        for worker in self._workers:
            if worker.request is not None and worker.request.number == number:
                worker.send("go on", go_on)

    def pace(self, recipe: Mapping[str, Any], at_once: int, threads: int) -> Throughput:
        """The sum over so many workers timed at the same time."""
        self._count = max(self._count, at_once)
        workers = self._workers[:at_once]
        workers += self._start(at_once - len(workers))
        timed = {**recipe, "threads": threads}
        for worker in workers:
            self._share(worker, recipe)
            # Short first, so that what counts is timed while all are at it.
            worker.send("pace", (timed, 0.0))
        self._all_answered(workers)
        for worker in workers:
            worker.send("pace", (timed, PACE_SECONDS))
        answers = self._all_answered(workers)
        together, first = sum(timing.images_per_second for timing in answers), answers[0]
        return Throughput(at_once, threads, together, first.execution.to_dict(), first.choice.to_dict())

    def close(self) -> None:
        """Busy workers save and stop; the others, which have nothing to save, are ended at once.

        A second Ctrl-C while they save ends them too.
        """
        for worker in self._workers:
            is_busy = worker.request is not None
            # On Windows this would end it at once; a busy one stops there when the pipe is closed.
            if not (WINDOWS and is_busy):
                worker.process.terminate()
            if is_busy:
                # One that waits for a word after an epoch hears these; one whose saving fails leaves by the second.
                worker.send("go on", False)
                worker.send("end", None)
            if WINDOWS:
                worker.connection.close()
        try:
            self._join(time.monotonic() + SAVE_SECONDS)
        except KeyboardInterrupt:
            self._join(0.0)
            raise

    def _join(self, deadline: float) -> None:
        """Waits for all to have ended, and kills those that have not by then."""
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()
        self._workers.clear()

    def _free(self) -> _Worker:
        free = [worker for worker in self._workers if worker.request is None]
        return free[0] if free else self._start(1)[0]

    def _start(self, count: int) -> list[_Worker]:
        """So many more workers, begun together since each takes a while to come up."""
        import torch.multiprocessing as multiprocessing

        context = multiprocessing.get_context("spawn")
        started = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs, self._config), daemon=False)
            process.start()
            theirs.close()
            started.append(_Worker(process, ours))
            # Known from now on, so that one that is still coming up ends with the others.
            self._workers.append(started[-1])
        for worker in started:
            self._await(worker)
        return started

    def _await(self, worker: _Worker) -> None:
        with suppress(EOFError, OSError):
            if worker.connection.poll(_START_SECONDS) and worker.connection.recv()[0] == "ready":
                return
        worker.process.join(1.0)
        self._workers.remove(worker)
        raise CnnlabError(
            f"a worker process did not come up (exit code {worker.process.exitcode}); the lines above say why. In a "
            "script of your own, workers read the script too: put what starts the study under if __name__ == "
            "'__main__'."
        )

    def _share(self, worker: _Worker, recipe: Mapping[str, Any]) -> None:
        key = data_key(Recipe.read(recipe))
        if key in worker.given or key not in self._sets:
            return
        dataset = self._sets[key]
        if share_dataset(dataset):
            worker.send("share", (key, dataset))
        worker.given = [*worker.given, key][-2:]

    def _told(self, worker: _Worker) -> list[Event]:
        assert worker.request is not None
        try:
            event: Event = worker.connection.recv()
        except (EOFError, OSError):
            return [self._buried(worker, worker.request)]
        if isinstance(event, Last):
            worker.request = None
        return [event]

    def _buried(self, worker: _Worker, request: TrialRequest) -> Event:
        worker.process.join()
        code = worker.process.exitcode
        self._end(worker)
        return Failed(request.number, "crash", _epitaph(code))

    def _end(self, worker: _Worker) -> None:
        worker.send("end", None)
        worker.process.join(SAVE_SECONDS)
        worker.connection.close()
        self._workers.remove(worker)

    def _all_answered(self, workers: Sequence[_Worker]) -> list[StepTiming]:
        """What each said; the first fault is raised once all have answered, so that none is left in a pipe."""
        answers, faults, deadline = [], [], time.monotonic() + _ANSWER_SECONDS
        for worker in workers:
            try:
                answers.append(self._answered(worker, deadline))
            except CnnlabError as error:
                faults.append(error)
        if faults:
            raise faults[0]
        return answers

    def _answered(self, worker: _Worker, deadline: float) -> StepTiming:
        try:
            if not worker.connection.poll(max(0.0, deadline - time.monotonic())):
                worker.process.kill()
                self._end(worker)
                raise CnnlabError(
                    f"the timing of a few steps was not done after {_ANSWER_SECONDS / 60:.0f} minutes, so its process "
                    "was ended. To do without, say how many trials are trained at once (--workers) and name a "
                    "precision."
                )
            kind, content = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            self._end(worker)
            raise CnnlabError(f"the timing of a few steps failed: {_epitaph(worker.process.exitcode)}.") from None
        if kind == "error":
            raise CnnlabError(f"the timing of a few steps failed: {content}")
        timing: StepTiming = content
        return timing


def _epitaph(code: int | None) -> str:
    """Why a process ended, in words."""
    if code is None or code >= 0:
        return f"its process ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{hint}"
