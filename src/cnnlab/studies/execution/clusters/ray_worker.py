"""A worker on a node of a Ray cluster: an actor that trains one request after another.

It leaves with the mailbox its own number, a word, and what belongs to that, in order: ``("event", event)``;
``("files", None)``, with a shipment in the object store, where the folder of runs is not seen from its node;
``("wants", None)`` where it waits for the files to go on with, by an answer; ``("up", None)`` once it is there;
``("refused", reason)`` where its node is not fit for the study; and ``("lacks", reason)`` where it cannot load the data
of the training.
"""

import os
import shutil
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnlab.core import memory
from cnnlab.core.clusters import packing
from cnnlab.core.clusters.mailbox import packed, unpacked
from cnnlab.core.errors import CnnlabError, CnnlabWarning, StorageError
from cnnlab.runs.environment import NODE
from cnnlab.runs.lock import RunLock, is_locked
from cnnlab.runs.versions import what_differs
from cnnlab.studies.execution.clusters.run_transport import RunsAway
from cnnlab.studies.execution.clusters.shared_folder import Sharing, sharing
from cnnlab.studies.execution.clusters.trial_on_node import lack_of_data, run_trial_on
from cnnlab.studies.execution.executor import EpochDone, Event, Failed, Finished, Stopped, TrialRequest
from cnnlab.studies.execution.run_trial import StepTiming, time_steps
from cnnlab.studies.execution.shared_data import DatasetCache
from cnnlab.studies.python_objects import unpack

_LOOK_SECONDS = 0.5
_SCRATCH = "cnnlab-ray-"


@dataclass(frozen=True)
class NodeConfig:
    """What a worker has to know of the study.

    :param runs: the folder of runs, as the machine of the study names it, and ``probe`` the folder in it that tells
        whether this is the same here; None where runs are brought home whether or not.
    :param versions: of what results depend on, as the study has them.
    """

    runs: Path
    probe: Path | None
    data_dir: Path | None
    offline: bool
    versions: Mapping[str, Any]
    objects: tuple[tuple[Any, bytes], ...] = ()


class TrialWorker:
    """The actor. Its methods run one at a time, in the main thread, where signals can be heeded.

    :param name: of its node.
    """

    def __init__(self, worker: int, name: str, config: NodeConfig, mailbox: Any) -> None:
        os.environ[NODE] = self.name = name
        warnings.simplefilter("ignore", CnnlabWarning)
        memory.ask_for_large_pages()
        self.config, self._mailbox, self._sets = config, mailbox, DatasetCache()
        self._worker, self._is_busy, self._is_closing = worker, False, False
        self._sharing: Sharing = "apart" if config.probe is None else sharing(config.probe)
        self._differs = what_differs(config.versions)
        if self._differs is None:
            unpack(config.objects)
        threading.Thread(target=self._stop_when_closing, daemon=True).start()
        self._put("up", None)

    def train(self, request: TrialRequest, key: str | None, stored: list[Any]) -> None:
        """Carries a request out.

        :param stored: the data set by the name ``key``, as it lies in the object store, where it does.
        """
        if self._differs is not None:
            self._put("refused", self._differs)
            return
        # In this order, so that a study that closes meanwhile is noticed here or by the thread that waits for that.
        self._is_busy = True
        try:
            if not self._is_closing:
                self._take_in(key, stored)
                words: dict[str, Any] = {"data_dir": self.config.data_dir, "offline": self.config.offline}
                lack = lack_of_data(request.recipe, datasets=self._sets, **words)
                if lack is None:
                    self._train(request)
                else:
                    self._put("lacks", lack)
        finally:
            self._is_busy = False

    def pace(self, recipe: Mapping[str, Any], key: str | None, stored: list[Any], seconds: float) -> StepTiming | str:
        """Times a few steps; in words, where this node is not fit or they fail."""
        if self._differs is not None:
            return self._differs
        self._take_in(key, stored)
        try:
            return time_steps(
                recipe,
                data_dir=self.config.data_dir,
                offline=self.config.offline,
                datasets=self._sets,
                seconds=seconds,
            )
        except CnnlabError as error:
            return str(error)

    def _train(self, request: TrialRequest) -> None:
        if self._sharing == "shared":
            self._put("event", self._carried_out(request, self.config.runs, self._tell))
            return
        self._put("wants", None)
        shipment = self._answer()
        if shipment is None:
            return
        try:
            with _scratch() as root:
                away = RunsAway(root)
                away.place(shipment)
                with self._bringing_home(away):
                    last = self._carried_out(request, root, lambda event: self._tell_of(event, request, away))
                self._send(away, is_last=True)
                self._put("event", self._at_home(last))
        except (OSError, StorageError) as error:
            # Its own disk is full, or cannot be written to. Another node may do better.
            self._put("refused", str(error))

    def _carried_out(self, request: TrialRequest, runs: Path, tell: Callable[[Event], None]) -> Event:
        return run_trial_on(
            self.name,
            request,
            tell=tell,
            runs=runs,
            data_dir=self.config.data_dir,
            offline=self.config.offline,
            datasets=self._sets,
            may_go_on=lambda: not request.is_judged or bool(self._answer()),
            # Elsewhere than in the study's folder, a file that cannot be written is this node's own fault.
            raised=() if self._sharing == "shared" else StorageError,
        )

    def _tell(self, event: Event) -> None:
        self._put("event", event)

    def _tell_of(self, event: Event, request: TrialRequest, away: RunsAway) -> None:
        if isinstance(event, EpochDone) and (request.is_judged or not away.has_sent(event.folder.name)):
            # It is judged by what is at home, and whoever hears of a run may look at it.
            self._send(away)
        self._put("event", self._at_home(event))

    def _at_home(self, event: Event) -> Event:
        """The event with the folder that the run has at home."""
        if isinstance(event, EpochDone | Finished):
            return replace(event, folder=self.config.runs / event.folder.name)
        if isinstance(event, Failed | Stopped) and event.folder is not None:
            return replace(event, folder=self.config.runs / event.folder.name)
        return event

    @contextmanager
    def _bringing_home(self, away: RunsAway) -> Iterator[None]:
        """A block in which each checkpoint is brought home once it is written."""
        is_over = threading.Event()

        def look() -> None:
            while not is_over.wait(_LOOK_SECONDS):
                # What fails is tried again at the next look, and once the training is over, where it is told.
                with suppress(Exception):
                    if away.is_due:
                        self._send(away)

        carrier = threading.Thread(target=look, daemon=True)
        carrier.start()
        try:
            yield
        finally:
            is_over.set()
            carrier.join()

    def _send(self, away: RunsAway, *, is_last: bool = False) -> None:
        with away.sending(is_last=is_last) as shipment:
            self._put("files", None, [_ray().put(shipment)])

    def _take_in(self, key: str | None, stored: list[Any]) -> None:
        if key is not None and key not in self._sets and stored:
            self._sets[key] = packing.unpack(_ray().get(stored[0]))

    def _answer(self) -> Any:
        answer = _ray().get(self._mailbox.answered.remote(self._worker))
        if answer is None:
            return None
        word, stored = answer
        return _ray().get(stored[0]) if stored else unpacked(word)

    def _put(self, word: str, content: Any, stored: Sequence[Any] = ()) -> None:
        # Waited for, so that a slow way home holds up what would follow, and nothing piles up.
        _ray().get(self._mailbox.put.remote(packed((self._worker, word, content)), list(stored)))

    def _stop_when_closing(self) -> None:
        with suppress(Exception):
            # Also where the study is gone: Ray ends this process then, and what it saves meanwhile is there.
            _ray().get(self._mailbox.closed.remote())
            self._is_closing = True
        if self._is_busy:
            os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for the runs of one training on this node's own disk; those of workers that were killed are removed."""
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if not is_locked(left) and time.time() - left.stat().st_mtime > 60:
                shutil.rmtree(left, ignore_errors=True)
    root = Path(tempfile.mkdtemp(prefix=_SCRATCH))
    lock = RunLock(root)
    try:
        lock.acquire()
        yield root
    finally:
        lock.release()
        shutil.rmtree(root, ignore_errors=True)


def _ray() -> Any:
    import ray

    return ray
