"""Trainings as jobs of Slurm, by submitit."""

import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError, UsageError, one_line
from cnnlab.core.files import write_text
from cnnlab.core.lazy_imports import require
from cnnlab.core.messages import note, warn
from cnnlab.runs import environment
from cnnlab.studies.execution.clusters.cluster_executor import (
    ClusterExecutor,
    ClusterRefusedError,
    ClusterSilentError,
    check_one_device,
)
from cnnlab.studies.execution.clusters.shared_folder import SharingProbe
from cnnlab.studies.execution.clusters.slurm_job import (
    JobConfig,
    Lack,
    carry_out,
    heard_from,
    time_steps_of,
    write_answer,
)
from cnnlab.studies.execution.clusters.slurm_states import NAME, JobState, LocalStates, SlurmStates
from cnnlab.studies.execution.clusters.slurm_words import minutes_of, refusal, said_by_slurm, unprinted
from cnnlab.studies.execution.clusters.trial_on_node import data_of
from cnnlab.studies.execution.executor import (
    PACE_SECONDS,
    SAVE_SECONDS,
    EpochDone,
    Event,
    Failed,
    Last,
    Started,
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
_LEAVE_SECONDS = 10.0
# Before the end of its time, in which a job saves: a quarter of a time that is short.
_END_SECONDS, _END_OF_EACH_MINUTE = 90, 15


@dataclass(eq=False)
class _Job:
    """A training, the job that it is in, and how much of what that told was heard.

    :ivar without: nodes that it is not to go to.
    :ivar epochs: that were told of.
    :ivar is_to_stop: whether it was told to save and stop.
    :ivar has_stopped: whether it saved and stopped without that.
    """

    request: TrialRequest
    key: str
    job: Any
    without: tuple[str, ...]
    heard: int = 0
    epochs: int = 0
    has_begun: bool = False
    is_to_stop: bool = False
    has_stopped: bool = False


class SlurmExecutor(ClusterExecutor):
    """Jobs of Slurm, one for each training: those asked for together are one array.

    The folder of runs has to be shared by all machines, with locks that hold. A job that is ended by its time, for
    another, or with its node, goes on in a new one from the last checkpoint, or in the same where Slurm puts that back
    into its queue. A training whose data a node cannot load goes to another node.

    :param cpus: cores of each job; by default the threads of a training.
    :param workers: jobs in the queue at once; a thousand by default.
    :param options: of ``sbatch``, such as ``partition`` and ``gres``; ``time``, in minutes or as ``sbatch`` takes it,
        is 240 by default. What is not among them is taken from the environment, as ``SBATCH_ACCOUNT``.
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
        asked = self._options.pop("time", None)
        self._minutes = _MINUTES if asked is None else minutes_of(asked)
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
        self._submitit, self._system = submitit, system
        self._states: SlurmStates | LocalStates = SlurmStates() if system == "slurm" else LocalStates()
        self._jobs: list[_Job] = []
        self._timing: Any = None
        # Their trainings are over, and they are on their way out.
        self._leaving: list[Any] = []
        self._told: list[Event] = []
        self._lacking: dict[str, dict[str, str]] = {}
        self._stuck: set[str] = set()
        self._begun: Counter[int] = Counter()
        self._count = 0
        self._is_closed = False

    @property
    def slots(self) -> int:
        """As many as ``workers``: what there is no room for waits in the queue."""
        return self.workers or _MOST_AT_ONCE

    def events(self, timeout: float) -> Sequence[Event]:
        """What jobs told; of those that ended without a word, that their training failed or goes on in another.

        :raises ClusterRefusedError: where Slurm takes no such jobs.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._put_into_queue()
            self._look()
            told, self._told = self._told, []
            told += [event for job in list(self._jobs) for event in self._heard(job)]
            if told or time.monotonic() >= deadline:
                return told
            time.sleep(min(_LOOK_SECONDS, timeout))

    def _look(self) -> None:
        jobs = [job.job for job in self._jobs]
        self._states.look([*jobs, *self._leaving], soon=any(job.has_stopped for job in self._jobs))
        self._leaving = [job for job in self._leaving if not self._states.of(job).has_left]
        for job in jobs:
            self._tell_if_stuck(job)

    def _tell_if_stuck(self, job: Any) -> None:
        """Once for each reason."""
        state = self._states.of(job)
        if state.is_stuck and state.reason not in self._stuck:
            self._stuck.add(state.reason)
            warn(
                f"the job {job.job_id} waits in the queue of Slurm, which gives as its reason {state.reason}. This may "
                "not pass by itself: then stop the study with Ctrl-C, and ask for less or for another partition."
            )

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
        request = TrialRequest(-1, {**recipe, "threads": threads})
        while isinstance(timing := self._timed(request), Lack):
            if timing.node in self._without(request):
                raise UsageError(self._no_data(request))
            self._note_lack(request, timing)
        if isinstance(timing, str):
            raise CnnlabError(f"the timing of a few steps failed {timing}")
        together = at_once * timing.images_per_second
        return Throughput(at_once, threads, together, timing.execution.to_dict(), timing.choice.to_dict())

    def _timed(self, request: TrialRequest) -> StepTiming | Lack | str:
        """What a job says of a few steps; in words, where that fails."""
        key = self._key("pace")
        try:
            queue = self._queue(self._without(request))
            with unprinted():
                job = queue.submit(time_steps_of, self._config, request.recipe, PACE_SECONDS, key)
        except RuntimeError as error:
            raise self._refused(error, request) from error
        note(f"The job {job.job_id} waits in the queue to time a few steps.")
        # Until it has told, it is taken out of the queue as this is closed: after Ctrl-C above all.
        self._timing = job
        timing = self._timed_by(job, key)
        self._timing = None
        self._leaving.append(job)
        return timing

    def _timed_by(self, job: Any, key: str) -> StepTiming | Lack | str:
        while True:
            self._states.look([job])
            self._tell_if_stuck(job)
            # Asked first: what it told before it ended is there then.
            state = self._states.of(job)
            found = heard_from(self._config.told(key), 0)[0]
            if found:
                timing: StepTiming | Lack | str = found[0]
                return timing
            if state.is_over:
                raise CnnlabError(f"the timing of a few steps failed: {self._why(job, state)}")
            time.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Jobs under way save and stop; those that wait in the queue are taken out of it."""
        if self._is_closed:
            return
        self._is_closed = True
        self._waiting.clear()
        try:
            if self._timing is not None:
                self._timing.cancel()
            write_text(self._config.closing, "")
            for job in [each for each in self._jobs if not each.has_begun]:
                # One that begins just now finds that the study is closing.
                self._cancel(job)
            deadline = time.monotonic() + SAVE_SECONDS
            while self._jobs and time.monotonic() < deadline:
                self.events(0.25)
            self._wait_for_those_that_leave()
        finally:
            for job in list(self._jobs):
                self._cancel(job)
            self._probe.close()

    def _wait_for_those_that_leave(self) -> None:
        """They have something to write to this folder still, without which Slurm would count them as failed."""
        deadline = time.monotonic() + _LEAVE_SECONDS
        while self._leaving and time.monotonic() < deadline:
            self._states.look(self._leaving, soon=True)
            self._leaving = [job for job in self._leaving if not self._states.of(job).has_left]
            time.sleep(_LOOK_SECONDS)

    def _put_into_queue(self) -> None:
        """Those that may go to the same nodes are one array."""
        waiting, self._waiting = [] if self._is_closed else self._waiting, []
        arrays: dict[tuple[str, ...], list[TrialRequest]] = {}
        for request in waiting:
            arrays.setdefault(self._without(request), []).append(request)
        for without, requests in arrays.items():
            keys = [self._key(str(request.number)) for request in requests]
            try:
                queue = self._queue(without)
                with unprinted(), queue.batch():
                    jobs = [
                        queue.submit(carry_out, self._config, request, key)
                        for request, key in zip(requests, keys, strict=True)
                    ]
            except RuntimeError as error:
                refused = self._refused(error, requests[0])
                if not without or isinstance(refused, ClusterSilentError):
                    raise refused from error
                self._told += [Failed(request.number, "error", str(refused)) for request in requests]
                continue
            self._jobs += [_Job(*each, without) for each in zip(requests, keys, jobs, strict=True)]

    def _queue(self, without: Sequence[str]) -> Any:
        """What puts jobs into the queue.

        :param without: nodes that they are not to go to.
        :raises ClusterRefusedError: for an option that there is not.
        """
        minutes = self._minutes
        own = {key: value for key, value in self._options.items() if value is not None}
        if without:
            own["exclude"] = ",".join(filter(None, (own.get("exclude"), *without)))
        own.setdefault("signal_delay_s", min(_END_SECONDS, _END_OF_EACH_MINUTE * minutes))
        queue = self._submitit.AutoExecutor(folder=self._config.folder / "logs", cluster=self._system)
        try:
            queue.update_parameters(
                name=NAME,
                timeout_min=minutes,
                cpus_per_task=self.cores,
                slurm_array_parallelism=self.slots,
                **{f"slurm_{key}": value for key, value in own.items()},
            )
        except NameError as error:
            raise ClusterRefusedError(
                f"{', '.join(self._options)}: not all of these are options of sbatch. {one_line(error)}"
            ) from error
        return queue

    def _refused(self, error: Exception, request: TrialRequest) -> CnnlabError:
        """Slurm takes no job of this training, or none that may not go to the nodes that lack its data."""
        words = said_by_slurm(error)
        refused = refusal(words, self.slots)
        if self._without(request) and not isinstance(refused, ClusterSilentError):
            return UsageError(self._no_data(request, f". Slurm has no other node for it: {words}"))
        return refused

    def _without(self, request: TrialRequest) -> tuple[str, ...]:
        """The nodes that cannot load its data."""
        return tuple(self._lacking.get(data_of(request), {}))

    def _key(self, what: str) -> str:
        self._count += 1
        return f"{what}-{self._count}"

    def _heard(self, job: _Job) -> list[Event]:
        # Asked first: what it told before it ended is there then.
        state = self._states.of(job.job)
        told: list[Event] = []
        things, job.heard = heard_from(self._config.told(job.key), job.heard)
        for thing in things:
            job.has_begun = True
            if isinstance(thing, Lack):
                self._leave(job)
                told += self._lacked(job, thing)
            elif isinstance(thing, Stopped) and not (job.is_to_stop or self._is_closed):
                # By whom will be seen from how it ends; or it begins once more.
                job.has_stopped = True
            else:
                self._note(job, thing)
                told.append(thing)
        if state.is_over and job in self._jobs:
            self._leave(job)
            told += self._ended(job, state)
        return told

    def _note(self, job: _Job, event: Event) -> None:
        if isinstance(event, Started):
            job.has_stopped = False
        elif isinstance(event, EpochDone):
            job.epochs += 1
            # It comes forward.
            self._begun[event.number] = 0
        elif isinstance(event, Last):
            self._leave(job)

    def _ended(self, job: _Job, state: JobState) -> list[Event]:
        """What it means that a job is over which told no end of its training."""
        number = job.request.number
        if self._is_closed:
            return [Stopped(number, None)]
        if state.is_cancelled:
            reason = (
                f"its job {job.job.job_id} was cancelled. Run the study again, and it goes on from where it was saved"
            )
            return [Failed(number, "error", reason)]
        why = self._why(job.job, state)
        if job.has_stopped or state.is_cut_short:
            return self._again(job, "it was stopped" if job.has_stopped else why)
        return [Failed(number, "memory" if state.word == "OUT_OF_MEMORY" else "crash", why)]

    def _again(self, job: _Job, why: str) -> list[Event]:
        """Puts a training into the queue once more, to go on where it is."""
        number = job.request.number
        self._begun[number] += 1
        if self._begun[number] >= _MOST_JOBS:
            reason = f"no epoch of it came to its end in {_MOST_JOBS} jobs, the last of which ended so: {why}"
            return [Failed(number, "crash", reason)]
        note(f"The job {job.job.job_id} was ended early; its trial goes on in another.")
        self._waiting.append(job.request)
        return []

    def _lacked(self, job: _Job, lack: Lack) -> list[Event]:
        """Puts a training into the queue once more, to go to another node."""
        self._note_lack(job.request, lack)
        if self._is_closed:
            return [Stopped(job.request.number, None)]
        if lack.node in job.without:
            # Its name is not that by which Slurm leaves it out.
            return [Failed(job.request.number, "error", self._no_data(job.request))]
        self._waiting.append(job.request)
        return []

    def _no_data(self, request: TrialRequest, why: str = "") -> str:
        """That all nodes there are lack the data of a training."""
        told = "; ".join(f"on {node}: {reason}" for node, reason in self._lacking[data_of(request)].items())
        return f"no node can load its data: {told}{why}"

    def _note_lack(self, request: TrialRequest, lack: Lack) -> None:
        lacking, reason = self._lacking.setdefault(data_of(request), {}), lack.reason.rstrip(".")
        if lack.node not in lacking:
            lacking[lack.node] = reason
            warn(
                f"on {lack.node} data of the study cannot be loaded: {reason}. Bring it there as it is here; until the "
                "study is run again, no trial on it is given to that node."
            )

    def _why(self, job: Any, state: JobState) -> str:
        lines = [line for line in (job.stderr() or "").splitlines() if line.strip()]
        log = f": {lines[-1].strip()}" if lines else ""
        where = f" on {state.node}" if state.node else ""
        return (
            f"the job {job.job_id}{where} ended as {state.word} without a word{log}. Where nothing is in its log, "
            f"its machine does not see {self._config.runs}: take a folder that all machines share (--runs)"
        )

    def _leave(self, job: _Job) -> None:
        self._jobs.remove(job)
        self._leaving.append(job.job)

    def _cancel(self, job: _Job) -> None:
        with suppress(Exception):
            job.job.cancel()
        self._jobs.remove(job)
