"""Carries a study out: gives tasks to an executor, hears how they go, tries again where that can help."""

import errno
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnlab.core.measurements import Metric
from cnnlab.core.messages import note, warn
from cnnlab.core.scored_splits import score_name
from cnnlab.runs import Run
from cnnlab.runs.history import read_history
from cnnlab.runs.record import HISTORY
from cnnlab.studies.execution.executor import (
    EpochDone,
    Event,
    Executor,
    Failed,
    Finished,
    Started,
    Stopped,
    TrialRequest,
)
from cnnlab.studies.execution.parallelism import trial_recipe
from cnnlab.studies.execution.retry import Attempt, RetryQueue
from cnnlab.studies.execution.scheduler import Scheduler, TrialTask
from cnnlab.studies.progress import StudyProgress
from cnnlab.studies.record import StudyRecord
from cnnlab.studies.result import Trial
from cnnlab.training.signals import StopRequest, catching_signals

_POLL = 0.25
_NO_SPACE = ("the disk is full", "quota is used up", os.strerror(errno.ENOSPC), "quota exceeded")
"""What is said, by cnnlab, by the system or by a library, of a file for which there is no room."""


class StudyInterrupted(KeyboardInterrupt):
    """Raised once every trial is saved; ``exit_code`` is what the process should leave with.

    :param is_saved: whether that was waited for; a second signal cuts it short.
    """

    def __init__(self, number: int, name: str, is_saved: bool = True) -> None:
        cut_short = (
            f"Stopped at once. Finished trials of the study {name} are kept, and one that was under way goes on from "
            "where it was saved last, when the study is run again."
        )
        saved = f"Stopped and saved; the study {name} goes on where it is when it is run again."
        super().__init__(saved if is_saved else cut_short)
        self.exit_code = 128 + number


class Runner:
    """One go at a study.

    :param metric: the one that progress shows.
    """

    def __init__(
        self, scheduler: Scheduler, executor: Executor, record: StudyRecord, progress: StudyProgress, metric: Metric
    ) -> None:
        self.scheduler, self.executor, self.record = scheduler, executor, record
        self.progress, self.metric = progress, metric
        self._running: dict[int, Attempt] = {}
        self._retries = RetryQueue()
        self._count = 0
        self._has_told_of_others = False
        self._is_full = self._is_told_of_mirrors = False

    def run(self) -> None:
        """Works until nothing is left, or there is no room for more.

        :raises StudyInterrupted: when a signal asked for it, after everything is saved.
        """
        with catching_signals() as stop_request, self.progress:
            try:
                while not self._is_full and (self._fill() or not self._is_done):
                    for event in self.executor.events(_POLL):
                        self._hear(event)
                    self._heed(stop_request)
            except KeyboardInterrupt:
                # This one, or a second Ctrl-C before the first was heeded.
                raise StudyInterrupted(stop_request.number or signal.SIGINT, self.record.folder.name) from None
            finally:
                self._close(stop_request)
            if stop_request.number is not None:
                # It came while the last trial was put away; what was to follow the study is not to begin.
                raise StudyInterrupted(stop_request.number, self.record.folder.name)

    @property
    def _is_done(self) -> bool:
        return not self._running and not self._retries and self.scheduler.is_done

    def _close(self, stop_request: StopRequest) -> None:
        try:
            self.executor.close()
        except KeyboardInterrupt:
            raise StudyInterrupted(
                stop_request.number or signal.SIGINT, self.record.folder.name, is_saved=False
            ) from None
        finally:
            self.record.save()

    def _heed(self, stop_request: StopRequest) -> None:
        if stop_request.number is not None:
            if self._running and stop_request.number == signal.SIGINT:
                note("Stopping once the trials under way are saved; Ctrl-C again stops without that.")
            raise KeyboardInterrupt

    def _fill(self) -> bool:
        """Gives out tasks while there are free slots; whether any is under way."""
        while len(self._running) < self.executor.slots and not any(one.alone for one in self._running.values()):
            attempt = self._next()
            if attempt is None:
                break
            self._submit(attempt)
        return bool(self._running)

    def _next(self) -> Attempt | None:
        attempt = self._retries.next(is_idle=not self._running)
        if attempt is not None or self._retries.wants_all:
            return attempt
        task = self.scheduler.next()
        return None if task is None else Attempt(task)

    def _submit(self, attempt: Attempt) -> None:
        number, self._count = self._count, self._count + 1
        task = attempt.task
        self._running[number] = attempt
        failure = self.record.failures.get(task.digest)
        if failure is not None:
            # Of another process that runs this study; what failed for this one before was forgotten or not given out.
            name, reason, kind = failure.get("run"), failure["reason"], failure["kind"]
            self._settle(number, task, Trial(task.seed, "failed", name, task.digest, reason, failure=kind))
            return
        self._retries.begun(task)
        self.record.attempts[task.digest] = self.record.attempts.get(task.digest, 0) + 1
        seed = task.seed + task.setting.seeds_added
        is_local = self.executor.is_local
        recipe = trial_recipe(task.setting.recipe, seed, self.record.execution, is_local=is_local)
        self.executor.submit(TrialRequest(number, recipe, task.is_judged))

    def _hear(self, event: Event) -> None:
        task = self._running[event.number].task
        if isinstance(event, Started):
            self.progress.trial_started(event.number, task, event.epochs)
        elif isinstance(event, EpochDone):
            self.progress.epoch(event.number, event.row)
            if task.is_judged:
                self.executor.answer(event.number, self.scheduler.goes_on(task, _history(event.folder)))
        elif isinstance(event, Finished):
            self._finished(event, task)
        elif isinstance(event, Stopped):
            self._stopped(event, task)
        else:
            self._failed(event, task)

    def _finished(self, event: Finished, task: TrialTask) -> None:
        info = Run(event.folder).info
        if task.is_judged:
            # What is known of its epochs must not depend on when the study was interrupted.
            self.scheduler.goes_on(task, _history(event.folder))
        scores = {
            score_name(split, name): value
            for split, values in (info.get("scores") or {}).items()
            for name, value in values.items()
            if name != "n"
        }
        self.record.failures.pop(task.digest, None)
        self._tell_of_mirrors(event.told)
        self._settle(
            event.number,
            task,
            Trial(
                task.seed, "finished", event.folder.name, task.digest, metrics=scores, seconds=info["seconds"] or 0.0
            ),
        )

    def _tell_of_mirrors(self, told: Sequence[str]) -> None:
        """Once: where a mirror fails for one trial, it does for others."""
        if told and not self._is_told_of_mirrors:
            self._is_told_of_mirrors = True
            name = self.record.folder.name
            warn(f"{told[0]} Further trials may not be mirrored either; study={name} in that line stands for all.")

    def _stopped(self, event: Stopped, task: TrialTask) -> None:
        """Of a judged task: pruned. Others are stopped only as the study itself stops."""
        if not task.is_judged:
            return
        name = event.folder.name if event.folder else None
        reason = "stopped early: it was behind the trials before it"
        self._settle(event.number, task, Trial(task.seed, "pruned", name, task.digest, reason))

    def _failed(self, event: Failed, task: TrialTask) -> None:
        if event.kind == "busy":
            self._wait_for_others(event, task)
            return
        if self._retries.retry(task, event.kind, alone=self.executor.is_local):
            self.progress.retried(event.number, event.reason)
            del self._running[event.number]
            return
        name = event.folder.name if event.folder else None
        self.record.failures[task.digest] = {"kind": event.kind, "reason": event.reason, "run": name}
        self._settle(
            event.number, task, Trial(task.seed, "failed", name, task.digest, event.reason, failure=event.kind)
        )
        self._heed_the_disk(event.reason)

    def _heed_the_disk(self, reason: str) -> None:
        """Where there is no room for one trial there is none for the others, which would be trained for nothing."""
        if self._is_full or not any(words.lower() in reason.lower() for words in _NO_SPACE):
            return
        self._is_full = True
        warn(
            f"{reason.rstrip('.')}. No further trial of the study {self.record.folder.name} is begun, and those under "
            "way are stopped; what is trained is kept. With more room, run the study again: it goes on where it is."
        )

    def _wait_for_others(self, event: Failed, task: TrialTask) -> None:
        if not self._has_told_of_others:
            warn(f"{task.setting.label}, seed {task.seed}: {event.reason} Waiting for it.")
            self._has_told_of_others = True
        self.record.refresh()
        del self._running[event.number]
        # It was not begun.
        self.record.attempts[task.digest] -= 1
        self._retries.wait_for_others(task)

    def _settle(self, number: int, task: TrialTask, trial: Trial) -> None:
        del self._running[number]
        self.scheduler.trial_ended(task, trial)
        self.record.save()
        self.progress.trial_ended(number, task, trial, self.metric)


def _history(folder: Path) -> list[dict[str, Any]]:
    return [
        {str(key): value for key, value in row.items()} for row in read_history(folder / HISTORY).to_dict("records")
    ]
