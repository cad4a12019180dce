"""Times as ``sbatch`` is told them, and what is made of its words where it takes no job."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from math import ceil
from typing import Any

from cnnlab.core.errors import CnnlabError, UsageError, one_line
from cnnlab.studies.execution.clusters.cluster_executor import ClusterRefusedError, ClusterSilentError

# https://slurm.schedmd.com/sbatch.html#OPT_time
_MINUTES = re.compile(r"(?P<minutes>\d+)(:(?P<seconds>\d+))?")
_HOURS = re.compile(r"(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+)")
_DAYS = re.compile(r"(?P<days>\d+)-(?P<hours>\d+)(:(?P<minutes>\d+)(:(?P<seconds>\d+))?)?")
_OF_A_MINUTE = {"days": 24 * 60, "hours": 60, "minutes": 1, "seconds": 1 / 60}
# https://github.com/SchedMD/slurm/blob/master/src/common/slurm_errno.c
_SILENT = re.compile(
    "unable to contact slurm controller|socket timed out|connection (refused|timed out|reset)|zero bytes were trans"
    "|controller is not responding|backup controller|configuration source|establish_config_source",
    re.IGNORECASE,
)
_OF_LIMITS = re.compile("SubmitJob|MaxArraySize|job array specification|temporarily unable to accept", re.IGNORECASE)
_OF_SOME_LIMIT = "job submit limit"
"""Among others, of which it is not said which, where no line before names one."""
_COMPLAINTS = ("sbatch: error: ", "sbatch: fatal: ")
_BEFORE_WORDS = re.compile(r"^(sbatch: )?(error: |fatal: )?(Batch job submission failed: )?")


def minutes_of(time: Any) -> int:
    """A time as ``sbatch`` takes it: minutes, ``MINUTES:SECONDS``, ``HOURS:MINUTES:SECONDS`` or ``DAYS-HOURS`` and on.

    >>> minutes_of("2:00:00"), minutes_of("1-12")
    (120, 2160)

    :raises UsageError: for what is none, and for no time at all.
    """
    text = str(int(time) if isinstance(time, float) and time.is_integer() else time).strip()
    found = next(filter(None, (form.fullmatch(text) for form in (_MINUTES, _HOURS, _DAYS))), None)
    parts = {} if found is None else found.groupdict()
    minutes = ceil(sum(int(part or 0) * _OF_A_MINUTE[name] for name, part in parts.items()))
    if minutes < 1:
        raise UsageError(
            f"time={text}: this is no time that a job can take. Give it as sbatch takes it, in minutes, as 120, or as "
            "HOURS:MINUTES:SECONDS or DAYS-HOURS, such as 2:00:00 or 1-12."
        )
    return minutes


@contextmanager
def unprinted() -> Iterator[None]:
    """A block in which what ``sbatch`` complains of is not printed as well: submitit does, and raises it too."""
    with redirect_stderr(io.StringIO()):
        yield


def said_by_slurm(error: Exception) -> str:
    """Why it takes no job, in its words: the limit that was met comes in a line of its own, before the last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip().startswith(_COMPLAINTS)]
    words = [_BEFORE_WORDS.sub("", line).rstrip(".") for line in lines[-2:] or [one_line(error, -1)]]
    return ": ".join(words)


def refusal(words: str, at_once: int) -> CnnlabError:
    """What to raise where Slurm takes no job of a study.

    :param words: as of :func:`said_by_slurm`.
    :param at_once: jobs in its queue that the study may have.
    """
    if _SILENT.search(words):
        return ClusterSilentError(
            f"the controller of Slurm does not answer: {words}. Once sinfo answers, run the same again: what was "
            "trained is kept, and it goes on where it is."
        )
    if _OF_LIMITS.search(words):
        return ClusterRefusedError(
            f"Slurm takes no more jobs at once: {words}. Have fewer in its queue, of which up to {at_once:,} are put "
            "there now: --workers N, with N below the limit (sacctmgr show qos, or scontrol show config, tells it)."
        )
    fewer = " Or have fewer jobs at once in its queue, by --workers N." if _OF_SOME_LIMIT in words else ""
    return ClusterRefusedError(
        f"Slurm takes no such job: {words}. Ask for what the cluster has (--partition, --gres, --cpus, --time, "
        f"or SBATCH_ACCOUNT and the like in the environment); sinfo lists its partitions.{fewer}"
    )
