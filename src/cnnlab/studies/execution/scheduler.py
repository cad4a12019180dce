"""What is to be trained next: the trials of a design known beforehand, or those that a search decides on."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cnnlab.studies.planned_settings import PlannedSetting
from cnnlab.studies.result import Trial


@dataclass(frozen=True)
class TrialTask:
    """One trial to be trained.

    :param seed: of its repeat; see :attr:`~cnnlab.studies.planned_settings.PlannedSetting.seeds_added`.
    :param is_judged: whether :meth:`Scheduler.goes_on` is to be asked after each epoch.
    """

    setting: PlannedSetting
    seed: int
    digest: str
    is_judged: bool = False


class Scheduler(ABC):
    """Tasks in an order of its own."""

    @abstractmethod
    def next(self) -> TrialTask | None:
        """A task that may start now; None where there is none, for good or until another has settled."""

    @property
    @abstractmethod
    def is_done(self) -> bool:
        """Whether no task will come any more."""

    @abstractmethod
    def trial_ended(self, task: TrialTask, trial: Trial) -> None:
        """Hears how a task ended."""

    def goes_on(self, task: TrialTask, history: Sequence[Mapping[str, float]]) -> bool:
        """Whether a judged training is worth going on with, by the epochs behind it."""
        return True


class FixedScheduler(Scheduler):
    """The tasks given, in order."""

    def __init__(self, tasks: Sequence[TrialTask]) -> None:
        self._waiting = deque(tasks)

    def next(self) -> TrialTask | None:
        """The first that is left."""
        return self._waiting.popleft() if self._waiting else None

    @property
    def is_done(self) -> bool:
        """Whether all were given out."""
        return not self._waiting

    def trial_ended(self, task: TrialTask, trial: Trial) -> None:
        """Changes nothing."""


class AddingScheduler(Scheduler):
    """Tasks in batches, each asked for once all of the one before have settled.

    :param more: the next batch; empty where nothing is to come.
    """

    def __init__(self, tasks: Sequence[TrialTask], more: Callable[[], Sequence[TrialTask]]) -> None:
        self._waiting, self._more = deque(tasks), more
        self._open = {task.digest for task in tasks}
        self._refill()

    def next(self) -> TrialTask | None:
        """The first that is left of this batch."""
        return self._waiting.popleft() if self._waiting else None

    @property
    def is_done(self) -> bool:
        """Whether every batch was given out and has settled."""
        return not self._open

    def trial_ended(self, task: TrialTask, trial: Trial) -> None:
        """Asks for the next batch after the last trial of this one."""
        self._open.discard(task.digest)
        self._refill()

    def _refill(self) -> None:
        if not self._open:
            self._waiting = deque(self._more())
            self._open = {task.digest for task in self._waiting}
