"""Which trials are tried again after a failure, and when."""

import time
from collections import Counter, deque
from dataclasses import dataclass

from cnnlab.studies.execution.executor import Failure
from cnnlab.studies.execution.scheduler import TrialTask

MOST_ATTEMPTS = 3
_MAY_PASS: tuple[Failure, ...] = ("crash", "memory")
_WAIT_FOR_OTHERS = 1.0


@dataclass(frozen=True)
class Attempt:
    """A task to be given out.

    :param alone: with nothing else under way, because memory ran out beside others.
    :param not_before: in the seconds of ``time.monotonic``.
    """

    task: TrialTask
    alone: bool = False
    not_before: float = 0.0


class RetryQueue:
    """The tasks that failed and wait for another attempt.

    A crash and a lack of memory may have been the machine's: such a task gets three attempts in all, the later ones
    alone, since beside others memory is short, and a process that was killed was often killed for that. A run that
    another process is at work on is looked at again after a second.
    """

    def __init__(self) -> None:
        self._waiting: deque[Attempt] = deque()
        self._attempts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def begun(self, task: TrialTask) -> None:
        """Counts an attempt."""
        self._attempts[task.digest] += 1

    def retry(self, task: TrialTask, kind: Failure, *, alone: bool = True) -> bool:
        """Whether a task that failed like this is tried again.

        :param alone: with nothing else under way; on a cluster the others are on other machines for the most part.
        """
        if kind not in _MAY_PASS or self._attempts[task.digest] >= MOST_ATTEMPTS:
            return False
        self._waiting.append(Attempt(task, alone=alone))
        return True

    def wait_for_others(self, task: TrialTask) -> None:
        """Has a task wait for another process, which is no attempt."""
        self._attempts[task.digest] -= 1
        self._waiting.append(Attempt(task, not_before=time.monotonic() + _WAIT_FOR_OTHERS))

    def next(self, *, is_idle: bool) -> Attempt | None:
        """The first whose time has come.

        :param is_idle: whether nothing is under way.
        """
        now = time.monotonic()
        for attempt in self._waiting:
            if attempt.not_before <= now and (is_idle or not attempt.alone):
                self._waiting.remove(attempt)
                return attempt
        return None

    @property
    def wants_all(self) -> bool:
        """Whether one waits to be alone, so that no new task takes the place of those that end."""
        return any(attempt.alone for attempt in self._waiting)
