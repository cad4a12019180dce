"""Trainings as jobs of Slurm, by submitit."""

import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.files import write_text
from cnnlab.core.lazy_imports import require
from cnnlab.core.messages import note
from cnnlab.runs import environment
from cnnlab.studies.execution.clusters.cluster_executor import ClusterExecutor, check_one_device
from cnnlab.studies.execution.clusters.shared_folder import SharingProbe
from cnnlab.studies.execution.clusters.slurm_job import (
    JobConfig,
    carry_out,
    heard_from,
    time_steps_of,
    write_answer,
)
from cnnlab.studies.execution.executor import (
    PACE_SECONDS,
    SAVE_SECONDS,
    EpochDone,
    Event,
    Failed,
    Last,
    Stopped,
    Throughput,
    TrialRequest,
)
from cnnlab.studies.execution.run_trial import StepTiming
from cnnlab.studies.python_objects import Parcel

_MOST_AT_ONCE = 1000
_MINUTES = 240
_LOOK_SECONDS = 0.1
_MOST_JOBS = 20
# Jobs that Slurm ended for reasons of its own: their trainings go on in others.
_CUT_SHORT = ("TIMEOUT", "PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "REQUEUED", "INTERRUPTED")


@dataclass(eq=False)
class _Job:
    """A training, the job that it is in, and how much of what that told was heard.

    :ivar epochs: that were told of.
    :ivar is_to_stop: whether it was told to save and stop.
    """

    request: TrialRequest
    key: str
    job: Any
    heard: int = 0
    epochs: int = 0
    has_begun: bool = False
    is_to_stop: bool = False


class SlurmExecutor(ClusterExecutor):
    """Jobs of Slurm, one for each training: those asked for together are one array.

    The folder of runs has to be shared by all machines, with locks that hold. A job that is ended by its time, for
    another, or with its node, goes on in a new one from the last checkpoint.

    :param cpus: cores of each job; by default the threads of a training.
    :param workers: jobs in the queue at once; a thousand by default.
    :param options: of ``sbatch``, such as ``partition`` and ``gres``; ``time`` in minutes is 240 by default. What is
        not among them is taken from the environment, as ``SBATCH_ACCOUNT``.
    :param system: ``slurm``, or ``local`` for processes of this machine in its place.
    """

    def __init__(
        self,
        *,
        runs: Path,
        cpus: int | None = None,
        workers: int | None = None,
        options: Mapping[str, Any] | None = None,
        data_dir: Path | None = None,
        offline: bool = False,
        objects: Sequence[Parcel] = (),
        system: str = "slurm",
    ) -> None:
        super().__init__(cpus, 0, workers)
        submitit = require("submitit", "carrying trials out with Slurm", "slurm")
        if system == "slurm" and shutil.which("srun") is None:
            raise UsageError(
                "there is no Slurm here: srun is not found. Start the study on a login node of the cluster."
            )
        self._options = dict(options or {})
        self._probe = SharingProbe(Path(runs).absolute())
        folder = self._probe.folder.absolute()
        self._config = JobConfig(
            Path(runs).absolute(),
            folder,
            None if data_dir is None else Path(data_dir).absolute(),
            offline,
            environment(),
            tuple(objects),
        )
        self._queue = submitit.AutoExecutor(folder=folder / "logs", cluster=system)
        self._jobs: list[_Job] = []
        self._begun: Counter[int] = Counter()
        self._count = 0
        self._is_closed = False

    @property
    def slots(self) -> int:
        """As many as ``workers``: what there is no room for waits in the queue."""
        return self.workers or _MOST_AT_ONCE

    def events(self, timeout: float) -> Sequence[Event]:
        """What jobs told; of those that ended without a word, that their training failed or goes on in another."""
        deadline = time.monotonic() + timeout
        while True:
            self._put_into_queue()
            told = [event for job in list(self._jobs) for event in self._heard(job)]
            if told or time.monotonic() >= deadline:
                return told
            time.sleep(min(_LOOK_SECONDS, timeout))

    def answer(self, number: int, go_on: bool) -> None:
        """Written where the job that waits for it looks."""
        for job in self._jobs:
            if job.request.number == number:
                job.is_to_stop = not go_on
                write_answer(self._config, job.key, job.epochs, go_on)

    def pace(self, recipe: Mapping[str, Any], at_once: int, threads: int) -> Throughput:
        """Timed by one job, which stands for all; it waits for its turn in the queue."""
        check_one_device(recipe)
        self._threads = threads
        timed, key = {**recipe, "threads": threads}, self._key("pace")
        self._ask()
        job = self._queue.submit(time_steps_of, self._config, timed, PACE_SECONDS, key)
        note(f"The job {job.job_id} waits in the queue to time a few steps.")
        try:
            timing = self._timed_by(job, key)
        except BaseException:
            # Ctrl-C above all, while it waits for its turn.
            with suppress(Exception):
                job.cancel()
            raise
        if isinstance(timing, str):
            raise CnnlabError(f"the timing of a few steps failed {timing}")
        together = at_once * timing.images_per_second
        return Throughput(at_once, threads, together, timing.execution.to_dict(), timing.choice.to_dict())

    def _timed_by(self, job: Any, key: str) -> StepTiming | str:
        """What a job says of a few steps; in words, where that fails."""
        while not (found := heard_from(self._config.told(key), 0)[0]):
            if job.done() and not heard_from(self._config.told(key), 0)[0]:
                raise CnnlabError(f"the timing of a few steps failed: {self._why(job)}")
            time.sleep(_LOOK_SECONDS)
        timing: StepTiming | str
        (timing,) = found
        return timing

    def close(self) -> None:
        """Jobs under way save and stop; those that wait in the queue are taken out of it."""
        if self._is_closed:
            return
        self._is_closed = True
        self._waiting.clear()
        try:
            write_text(self._config.closing, "")
            for job in [each for each in self._jobs if not each.has_begun]:
                # One that begins just now finds that the study is closing.
                self._cancel(job)
            deadline = time.monotonic() + SAVE_SECONDS
            while self._jobs and time.monotonic() < deadline:
                self.events(0.25)
        finally:
            for job in list(self._jobs):
                self._cancel(job)
            self._probe.close()

    def _put_into_queue(self) -> None:
        if not self._waiting or self._is_closed:
            return
        requests, self._waiting = self._waiting, []
        self._ask()
        keys = [self._key(str(request.number)) for request in requests]
        with self._queue.batch():
            jobs = [
                self._queue.submit(carry_out, self._config, request, key)
                for request, key in zip(requests, keys, strict=True)
            ]
        self._jobs += [_Job(*each) for each in zip(requests, keys, jobs, strict=True)]

    def _ask(self) -> None:
        minutes = int(self._options.get("time") or _MINUTES)
        own = {f"slurm_{key}": value for key, value in self._options.items() if key != "time" and value is not None}
        self._queue.update_parameters(
            name="cnnlab", timeout_min=minutes, cpus_per_task=self.cores, slurm_array_parallelism=self.slots, **own
        )

    def _key(self, what: str) -> str:
        self._count += 1
        return f"{what}-{self._count}"

    def _heard(self, job: _Job) -> list[Event]:
        # Asked first: what it told before it ended is there then.
        is_done = job.job.done()
        events, job.heard = heard_from(self._config.told(job.key), job.heard)
        told: list[Event] = []
        for event in events:
            job.has_begun = True
            job.epochs += isinstance(event, EpochDone)
            if isinstance(event, Last):
                self._jobs.remove(job)
                if isinstance(event, Stopped) and not (job.is_to_stop or self._is_closed):
                    return [*told, *self._again(job, "it was stopped")]
            told.append(event)
        if is_done and job in self._jobs:
            self._jobs.remove(job)
            why = self._why(job.job)
            if self._is_closed:
                return [*told, Stopped(job.request.number, None)]
            if any(word in str(job.job.state).upper() for word in _CUT_SHORT):
                return [*told, *self._again(job, why)]
            told.append(Failed(job.request.number, "crash", why))
        return told

    def _again(self, job: _Job, why: str) -> list[Event]:
        """Puts a training into the queue once more, to go on where it is."""
        number = job.request.number
        self._begun[number] += 1
        if self._begun[number] >= _MOST_JOBS:
            return [Failed(number, "crash", f"it was begun in {_MOST_JOBS} jobs, the last of which ended so: {why}")]
        note(f"The job {job.job.job_id} was ended early; its trial goes on in another.")
        self._waiting.append(job.request)
        return []

    def _why(self, job: Any) -> str:
        lines = [line for line in (job.stderr() or "").splitlines() if line.strip()]
        log = f": {lines[-1].strip()}" if lines else ""
        return (
            f"the job {job.job_id} ended as {job.state} without a word{log}. Where nothing is in its log, its machine "
            f"does not see {self._config.runs}: take a folder that all machines share (--runs)"
        )

    def _cancel(self, job: _Job) -> None:
        with suppress(Exception):
            job.job.cancel()
        self._jobs.remove(job)
