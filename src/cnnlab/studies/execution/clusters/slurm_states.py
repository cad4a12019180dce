"""What Slurm says of jobs: ``squeue`` of those in its queue and those that ended lately, ``sacct`` of others.

Not every cluster keeps accounts, without which ``sacct`` knows nothing.
"""

import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_ASK_SECONDS, _SOON_SECONDS = 10.0, 1.0
_MOST_SECONDS = 60.0
NAME = "cnnlab"
"""Of all jobs, by which they are asked for."""

# https://slurm.schedmd.com/job_state_codes.html
_UNDER_WAY = (
    *("UNKNOWN", "READY", "PENDING", "CONFIGURING", "RUNNING", "RESIZING", "SIGNALING", "SUSPENDED", "STOPPED"),
    *("COMPLETING", "STAGE_OUT", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"),
)
_CUT_SHORT = ("TIMEOUT", "PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "INTERRUPTED")
_PASSING = ("", "None", "Priority", "Resources", "JobArrayTaskLimit", "BeginTime", "Cleaning", "Prolog", "NodeDown")
_UNSEEN_LOOKS = 2
_NO_NODE = "None assigned"


@dataclass(frozen=True)
class JobState:
    """The state of a job in Slurm's words, why it waits where it does, and the name of its node, where it has one."""

    word: str = "UNKNOWN"
    reason: str = ""
    node: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and will not be begun again."""
        return self.word not in _UNDER_WAY

    @property
    def has_left(self) -> bool:
        """Whether its processes have ended."""
        return self.is_over or self.word == "COMPLETING"

    @property
    def is_cancelled(self) -> bool:
        """Whether a person took it away."""
        return self.word.startswith("CANCELLED")

    @property
    def is_cut_short(self) -> bool:
        """Whether Slurm ended it for reasons of its own, so that it may go on in another."""
        return self.word in _CUT_SHORT

    @property
    def is_stuck(self) -> bool:
        """Whether it waits for something else than its turn, which may never come."""
        return self.word == "PENDING" and self.reason not in _PASSING


class SlurmStates:
    """The states of jobs as of the last look, which is taken every few seconds: those who run Slurm ask for that."""

    def __init__(self) -> None:
        self._known: dict[str, JobState] = {}
        self._unseen: Counter[str] = Counter()
        self._asked = float("-inf")

    def of(self, job: Any) -> JobState:
        """Of a job of submitit."""
        return self._known.get(job.job_id, JobState())

    def look(self, jobs: Sequence[Any], *, soon: bool = False) -> None:
        """Asks Slurm, where the last look was long ago.

        :param soon: whether one second counts as long.
        """
        if time.monotonic() - self._asked < (_SOON_SECONDS if soon else _ASK_SECONDS):
            return
        # A controller that does not answer just now is asked again at the next look.
        listed = _squeue()
        self._asked = time.monotonic()
        if listed is None:
            return
        asked = [job.job_id for job in jobs if not self.of(job).is_over]
        self._known = {key: self._known[key] for key in (job.job_id for job in jobs) if key in self._known}
        self._known |= {key: listed[key] for key in asked if key in listed}
        self._unseen.update(key for key in asked if key not in listed)
        # One that was put into the queue this moment may not be listed yet.
        gone = [key for key in asked if key not in listed and self._unseen[key] >= _UNSEEN_LOOKS]
        if gone:
            ended = _sacct(gone)
            self._known |= {key: ended.get(key) or JobState("GONE", node=self._node(key)) for key in gone}

    def _node(self, key: str) -> str:
        return self._known[key].node if key in self._known else ""


class LocalStates:
    """The same of processes of this machine, in the place of jobs."""

    def of(self, job: Any) -> JobState:
        """Of a job of submitit."""
        return JobState(str(job.state)) if job.done() else JobState("RUNNING")

    def look(self, jobs: Sequence[Any], *, soon: bool = False) -> None:
        """Nothing: they are looked at as they are asked for."""


def _squeue() -> dict[str, JobState] | None:
    """What is in the queue, or ended lately; None where Slurm does not answer."""
    words = ["squeue", "--noheader", "--array", "--states=all", "--me", f"--name={NAME}"]
    lines = _lines([*words, "--format=%i|%T|%r|%N"])
    if lines is None:
        return None
    found = {}
    for line in lines:
        job, _, rest = line.strip().partition("|")
        word, _, rest = rest.partition("|")
        reason, _, node = rest.partition("|")
        found[job] = JobState(word, reason, node)
    return found


def _sacct(jobs: Sequence[str]) -> dict[str, JobState]:
    words = [
        "sacct",
        "--noheader",
        "--parsable2",
        "--allocations",
        "--format=JobID,State,NodeList",
        f"--jobs={','.join(jobs)}",
    ]
    found = {}
    for line in _lines(words) or []:
        job, _, rest = line.strip().partition("|")
        state, _, node = rest.partition("|")
        found[job] = JobState(state, node="" if node == _NO_NODE else node)
    return found


def _lines(words: Sequence[str]) -> list[str] | None:
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=_MOST_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.splitlines()
