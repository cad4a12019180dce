"""What carries trainings out: recipes go in, progress and finished run folders come out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PACE_SECONDS = 1.5
"""For which steps are timed, in each worker."""
SAVE_SECONDS = 60.0
"""For which trainings under way may save and stop, once their executor is closed."""

Failure = Literal["nan", "memory", "crash", "error", "busy"]


@dataclass(frozen=True)
class TrialRequest:
    """One training to be carried out.

    :param number: by which its events are told apart.
    :param recipe: in full, how it is carried out included.
    :param is_judged: whether its executor waits for a word of :meth:`Executor.answer` after each epoch.
    """

    number: int
    recipe: Mapping[str, Any]
    is_judged: bool = False


@dataclass(frozen=True)
class Started:
    """A training begins, or goes on: ``epochs_done`` of its ``epochs`` lie behind it."""

    number: int
    epochs: int
    epochs_done: int = 0


@dataclass(frozen=True)
class EpochDone:
    """An epoch of the run at ``folder`` ended; ``row`` is that of its history."""

    number: int
    row: Mapping[str, Any]
    folder: Path


@dataclass(frozen=True)
class Finished:
    """The run is finished and lies at ``folder``.

    :param told: what a person should know of it besides, such as a mirror that failed.
    """

    number: int
    folder: Path
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stopped:
    """The training was stopped after saving; the run at ``folder`` can go on."""

    number: int
    folder: Path | None


@dataclass(frozen=True)
class Failed:
    """There is no finished run, and why not.

    :param kind: ``nan`` (it would fail again), ``memory``, ``crash`` (its process died), ``busy`` (another process is
        at work on the run), or ``error``.
    :param folder: of the run, where it came so far.
    """

    number: int
    kind: Failure
    reason: str
    folder: Path | None = None


Last = Finished | Stopped | Failed
"""What is told of a request last."""
Event = Started | EpochDone | Last


@dataclass(frozen=True)
class Throughput:
    """How fast trainings go when carried out in one way.

    :param at_once: trainings at the same time, with ``threads`` each.
    :param images_per_second: of all together.
    :param execution: the precision, device and so on that was settled on, and ``choice`` why that precision.
    """

    at_once: int
    threads: int
    images_per_second: float
    execution: Mapping[str, Any] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)


class Executor(ABC):
    """Carries out trainings, some at once; used as a context manager.

    :cvar is_local: whether that is on this machine, so that what it has and lacks counts.
    """

    is_local = True

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many trainings it carries out at once."""

    @abstractmethod
    def submit(self, request: TrialRequest) -> None:
        """Begins a training; there must be a free slot."""

    @abstractmethod
    def events(self, timeout: float) -> Sequence[Event]:
        """What happened since the last call, waiting for up to so many seconds for something to happen."""

    @abstractmethod
    def answer(self, number: int, go_on: bool) -> None:
        """What a judged training is to do after an epoch: go on, or save and stop."""

    @abstractmethod
    def pace(self, recipe: Mapping[str, Any], at_once: int, threads: int) -> Throughput:
        """Times a few steps of a recipe carried out in this way; nothing else may be under way."""

    @abstractmethod
    def close(self) -> None:
        """Lets running trainings save and stop, and frees everything."""

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
