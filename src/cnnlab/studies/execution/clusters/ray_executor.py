"""Trainings on a Ray cluster."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.clusters.mailbox import Mailbox, packed, unpacked
from cnnlab.core.clusters.packing import Packed
from cnnlab.core.clusters.ray_cluster import Node, RayCluster, said_of_no_room
from cnnlab.core.errors import CnnlabError, RunBusyError, one_line
from cnnlab.core.messages import note, warn
from cnnlab.data import Dataset
from cnnlab.runs import environment
from cnnlab.studies.execution.clusters.cluster_executor import ClusterExecutor, ClusterRefusedError, check_one_device
from cnnlab.studies.execution.clusters.object_store import pack_dataset
from cnnlab.studies.execution.clusters.ray_worker import NodeConfig, TrialWorker
from cnnlab.studies.execution.clusters.run_transport import RunsAtHome, Shipment
from cnnlab.studies.execution.clusters.shared_folder import SharingProbe
from cnnlab.studies.execution.clusters.trial_on_node import data_of
from cnnlab.studies.execution.executor import (
    PACE_SECONDS,
    SAVE_SECONDS,
    Event,
    Failed,
    Last,
    Stopped,
    Throughput,
    TrialRequest,
)
from cnnlab.studies.execution.run_trial import StepTiming
from cnnlab.studies.python_objects import Parcel
from cnnlab.training import Recipe
from cnnlab.training.prepare import data_key

_ANSWER_SECONDS = 900.0
# After which it is told that no worker is up. Where a node has nothing else to do, most are in less.
_UP_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_NODES_SECONDS = 1.0
# After which a worker that cannot be reached is given up. By itself a cluster notices within half of this that a node
# is gone, also where nothing there says so any more.
_UNREACHABLE_SECONDS = 120.0
_MOST_MOVES = 5


@dataclass(eq=False)
class _Worker:
    """An actor, where it is, and what it is at.

    :ivar begun: the moment at which it was asked for. It is up once its node has room for it.
    :ivar call: what Ray ends when the actor is through with its request, or has died.
    :ivar is_to_stop: whether it was told to save and stop.
    :ivar missed_since: the moment since which it cannot be reached.
    """

    number: int
    actor: Any
    node: Node
    cores: int
    gpus: float
    begun: float
    request: TrialRequest | None = None
    call: Any = None
    is_up: bool = False
    is_to_stop: bool = False
    missed_since: float | None = None


class RayExecutor(ClusterExecutor):
    """Workers on the nodes of a Ray cluster, one for each training at once, which stay up from one to the next.

    Where a node sees the folder of runs under the same path, with locks that hold, its runs lie there. Where it does
    not, they are trained on its own disk and brought home, each checkpoint once it is written. A training whose node is
    gone goes on elsewhere, from the last checkpoint that is at home.

    :param address: of the cluster, as for :class:`~cnnlab.core.clusters.ray_cluster.RayCluster`.
    :param cpus: cores of each training; by default its threads.
    :param gpus: of each training, where fractions share one; by default one where trials are trained on a GPU.
    :param workers: trainings at once; by default as many as the nodes have room for.
    :param sets: data sets already loaded, by :func:`~cnnlab.training.prepare.data_key`: those that lie in memory go
        once into the object store. Others each node loads itself, from ``data_dir`` or where it has them.
    :param objects: that recipes stand for, which were given in Python.
    :param is_shared: False has runs brought home also where nodes see the folder of runs.
    """

    def __init__(
        self,
        *,
        runs: Path,
        address: str | None = None,
        cpus: int | None = None,
        gpus: float | None = None,
        workers: int | None = None,
        data_dir: Path | None = None,
        offline: bool = False,
        sets: Mapping[str, Dataset] | None = None,
        objects: Sequence[Parcel] = (),
        is_shared: bool = True,
    ) -> None:
        super().__init__(cpus, gpus, workers)
        self.cluster = RayCluster(address)
        self._runs = Path(runs).absolute()
        self._probe = SharingProbe(self._runs) if is_shared else None
        self._config = NodeConfig(
            self._runs,
            None if self._probe is None else self._probe.folder.absolute(),
            None if data_dir is None else Path(data_dir).absolute(),
            offline,
            environment(),
            tuple(objects),
        )
        self._mailbox = self.cluster.actor(Mailbox)
        self._sets = sets if sets is not None else {}
        self._stored: dict[str, list[Any]] = {}
        self._workers: list[_Worker] = []
        self._told: list[Event] = []
        self._at_home: dict[int, RunsAtHome] = {}
        self._moves: Counter[int] = Counter()
        self._unfit: dict[str, str] = {}
        self._lacking: dict[tuple[str, str], str] = {}
        self._seen: tuple[float, list[Node]] = (0.0, [])
        self._count = 0
        self._is_wait_told = self._is_closed = False

    @property
    def slots(self) -> int:
        """As many as the nodes have room for now, at most ``workers``."""
        # Where there is room for none, one is asked for all the same, so that this is said and not waited for.
        room = max(1, sum(node.room(self.cores, self.share_of_gpu) for node in self._nodes()))
        return room if self.workers is None else min(room, self.workers)

    def events(self, timeout: float) -> Sequence[Event]:
        """What the workers told; those on a node that is gone are replaced by others elsewhere."""
        with self.cluster.answering():
            self._give_out()
            if not self._told and all(worker.request is None for worker in self._workers):
                time.sleep(timeout)
                return []
            self._hear_all(0.0 if self._told else timeout)
            self._bury()
            self._give_out()
            self._tell_if_none_is_up()
        told, self._told = self._told, []
        return told

    def answer(self, number: int, go_on: bool) -> None:
        """Passed on to the worker that waits for it."""
        for worker in self._workers:
            if worker.request is not None and worker.request.number == number:
                worker.is_to_stop = not go_on
                with self.cluster.answering():
                    self._mailbox.answer.remote(worker.number, packed(go_on), [])

    def pace(self, recipe: Mapping[str, Any], at_once: int, threads: int) -> Throughput:
        """Timed by one worker, which stands for all: nodes of a cluster are taken to be alike."""
        check_one_device(recipe)
        self._threads, self._device = threads, self._asked_device(recipe)
        timed, failures = {**recipe, "threads": threads}, []
        for node in self._nodes():
            if not node.room(self.cores, self.share_of_gpu):
                continue
            with self.cluster.answering():
                worker = self._free(node) or self._start(node)
                timing = self._timed_by(worker, timed)
            if not isinstance(timing, str):
                return Throughput(
                    at_once,
                    threads,
                    at_once * timing.images_per_second,
                    timing.execution.to_dict(),
                    timing.choice.to_dict(),
                )
            failures.append(f"on {node.name}: {timing}")
            self._end(worker)
        if not failures:
            raise self._no_room()
        raise CnnlabError(f"the timing of a few steps failed {'; '.join(failures)}")

    def _timed_by(self, worker: _Worker, recipe: Mapping[str, Any]) -> StepTiming | str:
        """What a worker says of a few steps; in words, where that fails."""
        ray = self.cluster.ray
        call, begun = worker.actor.pace.remote(recipe, *self._stored_set(recipe), PACE_SECONDS), time.monotonic()
        while not ray.wait([call], num_returns=1, timeout=_LOOK_SECONDS)[0]:
            if not worker.is_up:
                # Until there is room for it, which may take as long as what others do there.
                begun = time.monotonic()
                self._hear_all(0.0)
                self._tell_if_none_is_up()
            elif time.monotonic() - begun > _ANSWER_SECONDS:
                return f"no answer within {_ANSWER_SECONDS / 60:g} minutes"
        try:
            timing: StepTiming | str = ray.get(call)
        except ray.exceptions.RayError as error:
            return one_line(error, -1)
        return timing

    def _tell_if_none_is_up(self) -> None:
        """Once, where workers were asked for a while ago and the first is not there yet, mostly for want of room."""
        if self._is_wait_told or not self._workers or any(worker.is_up for worker in self._workers):
            return
        if time.monotonic() - min(worker.begun for worker in self._workers) >= _UP_SECONDS:
            self._is_wait_told = True
            note(
                f"The Ray cluster is busy, or slow to begin: after {_UP_SECONDS:g} s no worker of the study is up "
                f"({self.cluster.said_of_free(self.cores, self.share_of_gpu)}). The study waits for room there; Ctrl-C "
                "stops it."
            )

    def close(self) -> None:
        """Busy workers save and stop, what they saved is brought home, and the connection is given up.

        A second Ctrl-C while they save ends them at once.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._waiting.clear()
        try:
            self._let_save()
        finally:
            for worker in self._workers:
                with suppress(Exception):
                    self.cluster.ray.kill(worker.actor)
            self._workers.clear()
            for home in self._at_home.values():
                home.release()
            if self._probe is not None:
                self._probe.close()
            with suppress(Exception):
                self.cluster.ray.kill(self._mailbox)
            self.cluster.close()

    def _let_save(self) -> None:
        deadline = time.monotonic() + SAVE_SECONDS
        # A cluster that is gone has nothing left to bring home.
        with suppress(CnnlabError), self.cluster.answering():
            self._mailbox.close.remote()
            while any(worker.request is not None for worker in self._workers) and time.monotonic() < deadline:
                self._hear_all(0.25)
                self._bury()

    def _nodes(self) -> list[Node]:
        """Those that are there and fit, as of a moment ago."""
        moment, nodes = self._seen
        if time.monotonic() - moment > _NODES_SECONDS:
            nodes = self.cluster.nodes()
            self._seen = (time.monotonic(), nodes)
        return [node for node in nodes if node.key not in self._unfit]

    def _give_out(self) -> None:
        """Gives requests that wait to workers, each on the node with the most room of those that have its data."""
        for request in [] if self._is_closed else list(self._waiting):
            nodes = [node for node in self._nodes() if node.room(self.cores, self.share_of_gpu)]
            if not nodes:
                raise self._no_room()
            lacks = [self._lacking.get((node.key, data_of(request))) for node in nodes]
            node = max(
                (node for node, lack in zip(nodes, lacks, strict=True) if lack is None), key=self._room, default=None
            )
            if node is None:
                self._waiting.remove(request)
                reason = f"no node can load its data: {'; '.join(filter(None, lacks))}"
                self._told.append(Failed(request.number, "error", reason))
            elif self._room(node) > 0:
                self._waiting.remove(request)
                worker = self._free(node) or self._start(node)
                worker.call = worker.actor.train.remote(request, *self._stored_set(request.recipe))
                worker.request, worker.is_to_stop, worker.missed_since = request, False, None

    def _room(self, node: Node) -> int:
        busy = sum(worker.request is not None and worker.node.key == node.key for worker in self._workers)
        return node.room(self.cores, self.share_of_gpu) - busy

    def _no_room(self) -> CnnlabError:
        """Why no node takes a training: it is asked for too much, unless some did before and are gone or not fit."""
        if self._unfit:
            return CnnlabError(f"no trial can be carried out: {'; '.join(self._unfit.values())}")
        kind = CnnlabError if self._count else ClusterRefusedError
        return kind(f"no trial can be carried out: {said_of_no_room(self.cores, self.share_of_gpu)}")

    def _free(self, node: Node) -> _Worker | None:
        """An idle worker of the node; one that holds another share of it than is asked for now is ended."""
        for worker in [each for each in self._workers if each.request is None and each.node.key == node.key]:
            if (worker.cores, worker.gpus) == (self.cores, self.share_of_gpu):
                return worker
            self._end(worker)
        return None

    def _start(self, node: Node) -> _Worker:
        number, self._count = self._count, self._count + 1
        words = (number, node.name, self._config, self._mailbox)
        actor = self.cluster.actor(TrialWorker, *words, node=node.key, cpus=self.cores, gpus=self.share_of_gpu)
        worker = _Worker(number, actor, node, self.cores, self.share_of_gpu, time.monotonic())
        self._workers.append(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        with suppress(Exception):
            self.cluster.ray.kill(worker.actor)

    def _stored_set(self, recipe: Mapping[str, Any]) -> tuple[str | None, list[Any]]:
        """The data set of a recipe by its name, and where it lies in the object store, where it does."""
        key = data_key(Recipe.read(recipe))
        if key not in self._sets and key not in self._stored:
            return None, []
        if key not in self._stored:
            content = pack_dataset(self._sets[key])
            # In a list, for what is given by itself is handed over in full.
            self._stored[key] = [] if content is None else self._put_into_store(content)
        return key, self._stored[key]

    def _put_into_store(self, content: Packed) -> list[Any]:
        errors = self.cluster.ray.exceptions
        try:
            return [self.cluster.ray.put(content)]
        except (errors.ObjectStoreFullError, errors.OutOfDiskError) as error:
            warn(
                f"a data set does not go into the object store of the Ray cluster ({one_line(error)}). Each node loads "
                "it itself, from where it has it."
            )
            return []

    def _asked_device(self, recipe: Mapping[str, Any]) -> str:
        asked = str(recipe.get("device") or "auto")
        if asked != "auto":
            return asked
        return "cuda" if any(node.gpus for node in self._nodes()) else "cpu"

    def _hear_all(self, timeout: float) -> None:
        for message, stored in self.cluster.ray.get(self._mailbox.take.remote(timeout)):
            number, word, content = unpacked(message)
            self._hear(number, word, content, stored)

    def _hear(self, number: int, word: str, content: Any, stored: Sequence[Any]) -> None:
        """Heeds what a worker told, unless it was given up: another one is at its request then."""
        worker = next((each for each in self._workers if each.number == number), None)
        if worker is None:
            return
        if word == "up":
            worker.is_up = True
        elif worker.request is None:
            return
        elif word == "event":
            self._pass_on(worker, content)
        elif word == "files":
            self._take_home(worker, worker.request, stored[0])
        elif word == "wants":
            self._send_out(worker, worker.request)
        elif word == "refused":
            self._leave_out(worker.node, f"on {worker.node.name}: {content}")
            self._put_back(worker, worker.request)
        elif word == "lacks":
            self._note_lack(worker.node, worker.request, content)
            self._put_back(worker, worker.request)

    def _pass_on(self, worker: _Worker, event: Event) -> None:
        if isinstance(event, Stopped) and not (worker.is_to_stop or self._is_closed):
            # Something else stopped it, such as a node that is going down.
            self._move(worker)
            return
        if isinstance(event, Last):
            worker.request = worker.call = None
            self._release(event.number)
        self._told.append(event)

    def _send_out(self, worker: _Worker, request: TrialRequest) -> None:
        """The runs that a training is to go on with, which are locked here until it ends."""
        home = self._at_home[request.number] = RunsAtHome(self._runs, request.recipe)
        try:
            shipment = home.shipment()
        except CnnlabError as error:
            self._mailbox.answer.remote(worker.number, packed(None), [])
            self._pass_on(worker, _failed(request.number, error))
            return
        self._mailbox.answer.remote(worker.number, packed(True), [self.cluster.ray.put(shipment)])

    def _take_home(self, worker: _Worker, request: TrialRequest, stored: Any) -> None:
        try:
            shipment: Shipment = self.cluster.ray.get(stored)
        except self.cluster.ray.exceptions.ObjectLostError:
            # It lay with the worker, which has died. What was told after it does not count without it.
            note(f"A worker on {worker.node.name} died with files on their way; its trial goes on from those before.")
            self._end(worker)
            self._move(worker)
            return
        try:
            self._at_home[request.number].take(shipment)
        except CnnlabError as error:
            # It trains what nobody takes any more.
            self._give_up(worker, _failed(request.number, error))

    def _release(self, number: int) -> None:
        home = self._at_home.pop(number, None)
        if home is not None:
            home.release()

    def _bury(self) -> None:
        """Looks after workers that ended without a last word."""
        ray = self.cluster.ray
        calls = {worker.call: worker for worker in self._workers if worker.call is not None}
        ended = ray.wait(list(calls), num_returns=len(calls), timeout=0)[0] if calls else []
        errors = [(calls[call], self._error_of(call)) for call in ended]
        if errors:
            # What they told before comes first.
            self._hear_all(0.0)
        for worker, error in errors:
            worker.call = None
            if worker.request is not None:
                self._lost(worker, worker.request, error)

    def _error_of(self, call: Any) -> Exception | None:
        try:
            self.cluster.ray.get(call)
        except self.cluster.ray.exceptions.RayError as error:
            found: Exception = error
            return found
        return None

    def _lost(self, worker: _Worker, request: TrialRequest, error: Exception | None) -> None:
        """A worker is through with its request, or cannot be reached, and has told no end of it."""
        errors, name = self.cluster.ray.exceptions, worker.node.name
        if self._is_closed:
            self._give_up(worker, Stopped(request.number, None))
        elif error is None:
            # It was out of reach for a while, and what it was to do did not come there.
            self._move(worker)
        elif self._is_gone(worker.node):
            note(f"The node {name} is gone; the trial that it was at goes on elsewhere.")
            self._end(worker)
            self._move(worker)
        elif isinstance(error, errors.ActorUnavailableError) and self._is_awaited(worker):
            # Ray does not know yet whether it has died, and of what: it does once this call ends.
            worker.call = worker.actor.__ray_ready__.remote()
        elif not worker.is_up:
            self._leave_out(worker.node, f"on {name} no worker comes up: {one_line(error, -1)}")
            self._end(worker)
            self._move(worker)
        else:
            is_memory, has_died = isinstance(error, errors.OutOfMemoryError), isinstance(error, errors.RayActorError)
            reason = f"on {name}{' its process ended' if has_died else ''}: {one_line(error, -1)}"
            self._give_up(worker, Failed(request.number, "memory" if is_memory else "crash", reason))

    def _is_awaited(self, worker: _Worker) -> bool:
        """Whether a worker that cannot be reached may still come back."""
        worker.missed_since = worker.missed_since or time.monotonic()
        return time.monotonic() - worker.missed_since < _UNREACHABLE_SECONDS

    def _give_up(self, worker: _Worker, event: Failed | Stopped) -> None:
        self._end(worker)
        self._told.append(event)
        self._release(event.number)
        worker.request = worker.call = None

    def _is_gone(self, node: Node) -> bool:
        if node.key in {each.key for each in self.cluster.nodes()}:
            return False
        self._seen = (0.0, [])
        return True

    def _leave_out(self, node: Node, reason: str) -> None:
        if node.key not in self._unfit:
            self._unfit[node.key] = reason
            warn(f"{reason.rstrip('.')}. No trial is given to that node.")

    def _note_lack(self, node: Node, request: TrialRequest, reason: str) -> None:
        key = (node.key, data_of(request))
        if key not in self._lacking:
            self._lacking[key] = f"on {node.name}: {reason.rstrip('.')}"
            warn(
                f"on {node.name} data of the study cannot be loaded: {reason.rstrip('.')}. Bring it there as it is "
                "here; until the study is run again, no trial on it is given to that node."
            )

    def _put_back(self, worker: _Worker, request: TrialRequest) -> None:
        """Has another worker, or this one, go on with what one was at."""
        self._release(request.number)
        worker.request = worker.call = None
        self._waiting.insert(0, request)

    def _move(self, worker: _Worker) -> None:
        """As :meth:`_put_back`, so and so many times: nothing else bounds how often it is lost."""
        request = worker.request
        assert request is not None
        self._put_back(worker, request)
        self._moves[request.number] += 1
        if self._moves[request.number] > _MOST_MOVES:
            self._waiting.remove(request)
            reason = f"it went from one node to the next {_MOST_MOVES} times, and came to an end on none"
            self._told.append(Failed(request.number, "crash", reason))


def _failed(number: int, error: CnnlabError) -> Failed:
    return Failed(number, "busy" if isinstance(error, RunBusyError) else "error", str(error))
