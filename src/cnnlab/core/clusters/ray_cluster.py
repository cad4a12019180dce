"""The connection to a Ray cluster: one that is there, or one of this machine alone that is started for the purpose."""

import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cnnlab.core.errors import CnnlabError, UsageError, one_line
from cnnlab.core.lazy_imports import require
from cnnlab.core.machine import usable_cores
from cnnlab.core.number_text import counted

RAY, RAY_CLIENT = "ray", "ray://"
_CLIENT_PORT = 10001
_CONNECT_SECONDS = 5.0
_LOCAL = "local"
_IS_THERE = "mismatch", "failed to connect"
"""Of what Ray says where there is a cluster, and no way to it."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster.

    :param name: of the machine, with eight digits of what Ray calls it.
    """

    key: str
    name: str
    cpus: float
    gpus: float

    def room(self, cpus: float, gpus: float) -> int:
        """How many workers of so many cores and so much of a GPU fit on it at once."""
        most = int(self.cpus // cpus)
        if gpus:
            # Tenths do not add up in binary.
            most = min(most, int((self.gpus + 1e-6) // gpus) if gpus <= 1 else int(self.gpus // gpus))
        return max(0, most)


class RayCluster:
    """A connection, which is given up by :meth:`close` where it was made here.

    :param address: ``ray://HOST:PORT`` of a cluster seen from outside, ``HOST:PORT`` of one that this machine belongs
        to, or None for the one that ``RAY_ADDRESS`` names, or that was started on this machine, or, where there is
        none, a cluster of this machine alone.
    :raises UsageError: where there is no cluster at the address, or Ray is not installed.
    """

    def __init__(self, address: str | None = None) -> None:
        self.ray: Any = load_ray()
        named = os.environ.get("RAY_ADDRESS")
        self.address = address or (named if named not in ("", "auto", _LOCAL) else None)
        self._is_ours = not self.ray.is_initialized()
        if self._is_ours:
            self._connect()

    def nodes(self) -> list[Node]:
        """The machines that are there now.

        :raises CnnlabError: where the cluster does not answer.
        """
        with self.answering():
            return [
                Node(
                    str(node["NodeID"]),
                    node_name(str(node["NodeManagerHostname"]), str(node["NodeID"])),
                    float(node["Resources"].get("CPU", 0)),
                    float(node["Resources"].get("GPU", 0)),
                )
                for node in self.ray.nodes()
                if node["Alive"]
            ]

    def is_busy(self, cpus: int, gpus: float) -> bool:
        """Whether less is free now than a worker of so many cores and so much of a GPU takes, on all nodes together.

        :raises CnnlabError: where the cluster does not answer.
        """
        free = self._free()
        return free.get("CPU", 0.0) < cpus or free.get("GPU", 0.0) < gpus

    def said_of_free(self, cpus: int, gpus: float) -> str:
        """What is free now of that which is asked for, in words.

        :raises CnnlabError: where the cluster does not answer.
        """
        nodes, free = self.nodes(), self._free()
        wanted = [("CPU", "core", sum(node.cpus for node in nodes), _said_of_cores(cpus))]
        if gpus:
            wanted.append(("GPU", "GPU", sum(node.gpus for node in nodes), _said_of_gpus(gpus)))
        there = " and ".join(f"{free.get(key, 0.0):g} of {counted(int(most), noun)}" for key, noun, most, _ in wanted)
        return f"{there} free, {' and '.join(asked for *_, asked in wanted)} asked for by each worker"

    def actor(self, kind: type, *arguments: Any, node: str | None = None, cpus: float = 0, gpus: float = 0) -> Any:
        """An actor, on this node or else on that of this process.

        :param gpus: a share of one, or a number of them.
        :raises CnnlabError: where the cluster does not answer.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        with self.answering():
            here = self.ray.get_runtime_context().get_node_id()
            # Nowhere else: with the node of the study it ends anyway, and another one may go without the study ending.
            place = NodeAffinitySchedulingStrategy(node or here, soft=False)
            made = self.ray.remote(kind).options(
                num_cpus=cpus, num_gpus=gpus, scheduling_strategy=place, max_restarts=0, max_task_retries=0
            )
            return made.remote(*arguments)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """A block in which it is a :class:`CnnlabError` that the cluster answers no more."""
        try:
            yield
        except (self.ray.exceptions.RayError, ConnectionError) as error:
            where = f" at {self.address}" if self.address else ""
            raise CnnlabError(
                f"the Ray cluster{where} does not answer any more ({one_line(error)}). What came home is kept: run "
                "the same again once the cluster is there, and it goes on where it is."
            ) from error

    def _free(self) -> Mapping[str, float]:
        with self.answering():
            free: Mapping[str, float] = self.ray.available_resources()
        return free

    def close(self) -> None:
        """Gives the connection up, and stops a cluster that was started here."""
        if self._is_ours:
            self.ray.shutdown()

    def _connect(self) -> None:
        words = {"log_to_driver": False, "configure_logging": False}
        logging.getLogger("ray").setLevel(logging.ERROR)
        with _undisturbed():
            if self.address is None:
                self._connect_here(words)
                return
            _knock(self.address)
            try:
                self.ray.init(self.address, **words)
            except Exception as error:  # what Ray raises depends on how far it came
                raise _no_way(f"something listens at {self.address}, and", error) from error

    def _connect_here(self, words: Mapping[str, Any]) -> None:
        """To the cluster that was started on this machine; where none is, or ``RAY_ADDRESS=local``, one is started."""
        try:
            if os.environ.get("RAY_ADDRESS") != _LOCAL:
                self.ray.init("auto", **words)
                return
        except (ConnectionError, RuntimeError) as error:
            if any(word in str(error).lower() for word in _IS_THERE):
                raise _no_way(
                    "a Ray cluster runs on this machine (RAY_ADDRESS=local starts another beside it), and", error
                ) from error
        self.ray.init(_LOCAL, num_cpus=usable_cores(), include_dashboard=False, **words)


def is_ray(on: str) -> bool:
    """Whether a place, as ``--on`` names it, is a Ray cluster."""
    return on == RAY or on.startswith(RAY_CLIENT)


def address_of(on: str) -> str | None:
    """The address for :class:`RayCluster` of such a place."""
    return None if on == RAY else on


def check_share(cpus: int | None, gpus: float | None, of: str = "a training") -> None:
    """Refuses what no worker can ask for.

    :param of: what it does, for messages.
    :raises UsageError: with what can be asked for.
    """
    if cpus is not None and cpus < 1:
        raise UsageError(f"cpus={cpus}: {of} needs a core at least.")
    if gpus is not None and (gpus < 0 or (gpus > 1 and gpus != int(gpus))):
        raise UsageError(f"gpus={gpus:g}: name a share of one GPU, such as 0.25, or a whole number of them.")


def said_of_no_room(cpus: int, gpus: float) -> str:
    """Why nothing can be carried out where no node has that much."""
    gpu = f" and {_said_of_gpus(gpus)}" if gpus else ""
    return f"no node of the cluster has {_said_of_cores(cpus)}{gpu}. Ask for less (cpus, gpus), or add a node."


def _said_of_cores(cpus: int) -> str:
    return counted(cpus, "core")


def _said_of_gpus(gpus: float) -> str:
    return f"{gpus:g} of a GPU" if gpus < 1 else counted(int(gpus), "GPU")


def load_ray() -> Any:
    """The package.

    :raises UsageError: where it is not installed.
    """
    # Before it is loaded: it reports how it is used otherwise.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # And on this machine it has its workers wait for whatever else there is to do, unlike our own.
    os.environ.setdefault("RAY_worker_niceness", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return require("ray", "work on a Ray cluster")


def node_name(host: str, key: str) -> str:
    """What a machine is called in records and messages; several nodes on one machine are told apart."""
    return f"{host}/{key[:8]}"


def _knock(address: str) -> None:
    """Whether anybody listens there: Ray itself would try for a minute."""
    host, _, port = address.removeprefix(RAY_CLIENT).rpartition(":")
    if not host and address.startswith(RAY_CLIENT):
        host, port = port, str(_CLIENT_PORT)
    if not host or not port.isdecimal():
        raise UsageError(f"{address} is no address of a Ray cluster. Write ray://HOST:{_CLIENT_PORT}")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from error


def _no_cluster(address: str, reason: str) -> UsageError:
    return UsageError(
        f"there is no Ray cluster at {address} ({reason}). Start one there with ray start --head, which tells its "
        f"address, or name another; ray://HOST:{_CLIENT_PORT} is what it listens to from outside."
    )


def _no_way(what_is_there: str, error: Exception) -> UsageError:
    return UsageError(
        f"{what_is_there} no connection to it as a Ray cluster came about ({one_line(error)}). Ray and Python have "
        "to be of the same version there, and a cluster that asks for a token is given it by RAY_AUTH_MODE=token and "
        "RAY_AUTH_TOKEN in the environment."
    )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A block after which signals are handled as before: Ray has its own way with SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.signal(signal.SIGTERM, before)
