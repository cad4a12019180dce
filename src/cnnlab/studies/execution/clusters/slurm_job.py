"""What a job of Slurm does: one training, told of through files in the folder of runs, which all machines share.

What trains is imported once the machine is known to have the versions of the study: with others, or without PyTorch, it
might not load, and the job would end without a word.
"""

import os
import pickle
import platform
import signal
import threading
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError, CnnlabWarning
from cnnlab.core.files import write_text
from cnnlab.runs.environment import NODE
from cnnlab.studies.execution.clusters.shared_folder import sharing
from cnnlab.studies.execution.executor import EpochDone, Event, Failed, Finished, TrialRequest

_LOOK_SECONDS = 0.5
_ALONE_SECONDS = 10.0
_NUMBERS = ("SLURM_JOB_ID", "SUBMITIT_LOCAL_JOB_ID")
GO_ON, STOP = "go on", "stop"


@dataclass(frozen=True)
class JobConfig:
    """What a job has to know of the study.

    :param folder: in which it tells how it goes, and hears whether it may go on; it is also the probe that the folder
        of runs is the one that the study sees.
    :param versions: of what results depend on, as the study has them.
    """

    runs: Path
    folder: Path
    data_dir: Path | None
    offline: bool
    versions: Mapping[str, Any]
    objects: tuple[tuple[Any, bytes], ...] = ()

    def told(self, key: str) -> Path:
        """The file of what a job tells."""
        return self.folder / f"{key}.told"

    def answer(self, key: str, epoch: int) -> Path:
        """The file that says whether a training is to go on after an epoch of this job."""
        return self.folder / f"{key}-{epoch}.answer"

    @property
    def closing(self) -> Path:
        """The file that has all jobs save and stop once it is there."""
        return self.folder / "closing"


@dataclass(frozen=True)
class Lack:
    """Told in the place of all else where a node cannot load the data of a training.

    :param node: its name, as Slurm has it.
    """

    node: str
    reason: str


def carry_out(config: JobConfig, request: TrialRequest, key: str) -> None:
    """Trains what a request says; in a job that Slurm put back into its queue, what is left of it."""
    told = _Told(config.told(key))
    before = told.repaired()
    if before and isinstance(before[-1], Finished | Failed | Lack):
        return
    _become_a_node()
    _heed_the_end_of_time()
    reason = _unfit(config)
    if reason is not None:
        told.add(Failed(request.number, "error", reason))
        return
    epochs = sum(isinstance(event, EpochDone) for event in before)
    told.add(_trained(config, request, key, told, epochs))


def time_steps_of(config: JobConfig, recipe: Mapping[str, Any], seconds: float, key: str) -> None:
    """Times a few steps of a recipe; in words, where that fails."""
    from cnnlab.studies.execution.run_trial import time_steps

    told = _Told(config.told(key))
    _become_a_node()
    reason = _unfit(config)
    if reason is not None:
        told.add(reason)
        return
    words: dict[str, Any] = {"data_dir": config.data_dir, "offline": config.offline, "datasets": {}}
    found: Any = _lack(recipe, words)
    try:
        found = found or time_steps(recipe, seconds=seconds, **words)
    except CnnlabError as error:
        found = f"on {os.environ[NODE]}: {error}"
    told.add(found)


def heard_from(path: Path, offset: int) -> tuple[list[Any], int]:
    """What was told in a file behind an offset, and the offset behind that."""
    found: list[Any] = []
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while True:
                found.append(pickle.load(file))
                offset = file.tell()
    except (EOFError, FileNotFoundError, pickle.UnpicklingError):
        # The rest of it is still being written.
        return found, offset


class _Told:
    """The file of what a job tells, to which it adds."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, thing: Any) -> None:
        """Adds an event or the like, at once."""
        with self.path.open("ab") as file:
            file.write(pickle.dumps(thing, protocol=5))
            file.flush()
            os.fsync(file.fileno())

    def repaired(self) -> list[Any]:
        """What was added by this job before Slurm put it back into the queue, without what it came to half of."""
        found, offset = heard_from(self.path, 0)
        with suppress(FileNotFoundError):
            os.truncate(self.path, offset)
        return found


def _trained(config: JobConfig, request: TrialRequest, key: str, told: _Told, epochs_before: int) -> Event | Lack:
    from cnnlab.core import memory
    from cnnlab.studies.execution.clusters.trial_on_node import run_trial_on
    from cnnlab.studies.python_objects import unpack

    memory.ask_for_large_pages()
    unpack(config.objects)
    words: dict[str, Any] = {"data_dir": config.data_dir, "offline": config.offline, "datasets": {}}
    lack = _lack(request.recipe, words)
    if lack is not None:
        return lack
    epochs = count(epochs_before + 1)
    threading.Thread(target=_stop_when_closing, args=(config,), daemon=True).start()
    return run_trial_on(
        os.environ[NODE],
        request,
        tell=told.add,
        runs=config.runs,
        may_go_on=lambda: not request.is_judged or _may_go_on(config, key, next(epochs)),
        **words,
    )


def _lack(recipe: Mapping[str, Any], words: Mapping[str, Any]) -> Lack | None:
    from cnnlab.studies.execution.clusters.trial_on_node import lack_of_data

    reason = lack_of_data(recipe, **words)
    return None if reason is None else Lack(os.environ.get("SLURMD_NODENAME") or platform.node(), reason)


def _heed_the_end_of_time() -> None:
    """Where the time of the job is nearly up, or its node is wanted for another, it saves, and goes on in another job.

    At once: before this, submitit takes that signal for its own.
    """
    early = getattr(signal, "SIGUSR2", None)
    if early is not None:
        signal.signal(early, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def _become_a_node() -> None:
    warnings.simplefilter("ignore", CnnlabWarning)
    number = next((os.environ[name] for name in _NUMBERS if name in os.environ), "0")
    os.environ[NODE] = f"{platform.node()}/{number}"


def _unfit(config: JobConfig) -> str | None:
    from cnnlab.runs.versions import what_differs

    name, differs = os.environ[NODE], what_differs(config.versions)
    if differs is not None:
        return f"on {name}: {differs}"
    if sharing(config.folder) == "unlocked":
        return (
            f"on {name} the locks of other machines are not seen in {config.runs}, so that two jobs would spoil each "
            "other's runs. Take a folder with locks, such as NFS mounted without nolock (--runs)"
        )
    return None


def _may_go_on(config: JobConfig, key: str, epoch: int) -> bool:
    answer, looked = config.answer(key, epoch), time.monotonic()
    while not config.closing.exists():
        if answer.exists() and (word := answer.read_text(encoding="utf-8")):
            return word == GO_ON
        if time.monotonic() - looked > _ALONE_SECONDS:
            if sharing(config.folder) != "shared":
                # The study was killed, and nobody will answer.
                return False
            looked = time.monotonic()
        time.sleep(_LOOK_SECONDS)
    return False


def _stop_when_closing(config: JobConfig) -> None:
    # A folder that is gone is that of a study that is over.
    while config.folder.exists() and not config.closing.exists():
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def write_answer(config: JobConfig, key: str, epoch: int, go_on: bool) -> None:
    """Says to a job that waits for it whether its training is to go on."""
    write_text(config.answer(key, epoch), GO_ON if go_on else STOP)
