"""A server: bound to its port at once, answering when the model is there, stopped without losing a request."""

import errno
import re
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core.errors import CnnlabError, StorageError, UsageError
from cnnlab.core.lazy_imports import require
from cnnlab.core.machine import WINDOWS
from cnnlab.evaluation import open_model, predictor_of
from cnnlab.models import OwnNetwork, Predictable
from cnnlab.runs import Run
from cnnlab.serving.access import Access, checked_token, is_loopback, is_wildcard, names_of, new_token
from cnnlab.serving.limits import Limits

if TYPE_CHECKING:
    from cnnlab.serving.app import Service

_PACKAGES = ("fastapi", "uvicorn", "prometheus_client", "python_multipart")
_BACKLOG = 128


class Server:
    """A model that answers over HTTP, on a port that is bound already.

    >>> with open_server("last", port=0) as server:
    ...     server.address, server.token

    In a ``with`` block it runs in a thread of its own; :meth:`run` runs it here until it is stopped.

    :ivar address: where it is reached, such as ``http://127.0.0.1:8000``.
    :ivar token: what it asks for, as ``Authorization: Bearer TOKEN``; None where it asks for none.
    :ivar name: of the model, in the paths of the protocol.
    """

    def __init__(self, service: "Service", access: Access, listener: socket.socket, address: str) -> None:
        self.address, self.token, self.name = address, access.token, service.name
        self._service, self._access, self._listener = service, access, listener
        self._loop: Any = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Answers until Ctrl-C, SIGTERM or :meth:`stop`; what was asked by then is answered first.

        :param on_ready: called when the first request can come.
        """
        from cnnlab.serving.app import Guard, application
        from cnnlab.serving.connections import Loop

        service = self._service
        try:
            service.batcher.start()
            guard = Guard(application(service), service, self._access)
            self._loop = Loop(guard, service.limits, on_ready, service.stop)
            self._loop.run(sockets=[self._listener])
        finally:
            self.close()
            service.close()

    def close(self) -> None:
        """Gives the port back; for a server that did not run."""
        self._listener.close()

    def stop(self) -> None:
        """Has the server end; may be called from any thread."""
        if self._loop is not None:
            self._loop.should_exit = True

    def __enter__(self) -> "Server":
        is_ready = threading.Event()

        def run() -> None:
            try:
                self.run(is_ready.set)
            except BaseException as error:
                self._failure = error
            finally:
                is_ready.set()

        self._thread = threading.Thread(target=run, name="cnnlab-server", daemon=True)
        self._thread.start()
        is_ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join()


def open_server(
    model: "Run | Predictable | str | Path",
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    asks_for_token: bool = True,
    allow_hosts: Iterable[str] = (),
    name: str | None = None,
    top: int = 5,
    limits: Limits | None = None,
    is_filled: bool = False,
    runs: Path | str | None = None,
    device: str | None = None,
    network: OwnNetwork | None = None,
    offline: bool = False,
) -> Server:
    """A server of a model, bound to its port; nothing is answered before it runs.

    :param model: a run or a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param host: where it listens; only on loopback is it reached by this machine alone.
    :param port: 0 for one that is free.
    :param token: that requests have to bring along; by default one is made up.
    :param asks_for_token: whether requests have to; on loopback alone they may not.
    :param allow_hosts: names, as clients write them, under which it is reached besides its own.
    :param name: of the model, in the paths of the protocol; by default that of the run.
    :param top: how many classes ``/predict`` tells of a picture, the likeliest first.
    :param is_filled: whether every batch is filled up to ``limits.batch``, so that an answer has the same bits whatever
        is asked at the same time.
    :param runs: the folder of runs.
    :param device: another device than the one that the run was trained on.
    :param network: the network of one's own that the run was trained on, or what makes it.
    :param offline: never tries the network for weights.
    :raises UsageError: where a package is missing, an option cannot be meant, or there is no such address.
    :raises StorageError: when the port cannot be had.
    """
    for package in _PACKAGES:
        require(package, "serving", "serve")
    limits = limits or Limits()
    if top < 1:
        raise UsageError(f"top={top} tells no class; it is at least 1.")
    if not asks_for_token and not is_loopback(host):
        raise UsageError(
            f"without a token this server would answer whoever reaches {host}. Leave --no-token out, or listen on "
            "127.0.0.1 alone."
        )
    said = None if not asks_for_token else new_token() if token is None else checked_token(token)
    listener, address = _bound(host, port)
    try:
        number = int(listener.getsockname()[1])
        hosts = names_of(host, number, allow_hosts)
        access = Access(said, hosts, number if is_wildcard(host) else None)
        opened = open_model(model, runs=runs, network=network, offline=offline)
        shown = _name_in_paths(name or (opened.folder.name if isinstance(opened, Run) else str(model)))
        service = _service(opened, shown, top, limits, is_filled, device, network)
    except BaseException:
        listener.close()
        raise
    return Server(service, access, listener, f"http://{address}:{number}")


def _service(
    model: "Run | Predictable",
    name: str,
    top: int,
    limits: Limits,
    is_filled: bool,
    device: str | None,
    network: OwnNetwork | None,
) -> "Service":
    from cnnlab.serving.app import Service
    from cnnlab.serving.batching import Batcher
    from cnnlab.serving.engine import TorchEngine
    from cnnlab.serving.metrics import Metrics
    from cnnlab.serving.outputs import output_tensors

    predictor = predictor_of(model, device=device, network=network)
    if predictor.classifier.shape[0] not in (1, 3):
        channels = predictor.classifier.shape[0]
        raise UsageError(f"pictures are grey or in colour, and this model takes {channels} channels.")
    engine, metrics = TorchEngine(predictor), Metrics()
    batcher = Batcher(engine, limits, metrics, is_filled=is_filled)
    metrics.watch_queue(lambda: batcher.waiting)
    outputs = output_tensors(predictor.objective, engine.sample(), predictor.classifier.classes)
    return Service(name, engine, outputs, batcher, metrics, limits, top)


def _name_in_paths(name: str) -> str:
    """A name that a path of HTTP holds as it is."""
    last = Path(name).name.removesuffix(".safetensors").rpartition(":")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-.") or "model"


def _bound(host: str, port: int) -> tuple[socket.socket, str]:
    """A socket that listens, and its host as addresses have it.

    Those who connect before the model is there wait. Without this, a second server would find out that the port is
    taken only after its model was read.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"port {port} cannot be; they go from 0, for one that is free, to 65535.")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"there is no address {host!r} to listen at ({error}).") from None
    family, kind, protocol, _, place = found[0]
    # With the protocol, for asyncio sends small answers at once only where a socket says that it is TCP.
    listener = socket.socket(family, kind, protocol)
    try:
        if not WINDOWS:
            # A port is free as soon as the last server on it has ended; on Windows this would take it from one at work.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(error, host, port) from None
    return listener, f"[{host}]" if ":" in host else host or "localhost"


def _refused(error: OSError, host: str, port: int) -> CnnlabError:
    if error.errno == errno.EADDRINUSE:
        return StorageError(
            f"port {port} of {host} is taken by another program, perhaps another cnnlab serve. Stop that, name another "
            "with --port, or take --port 0 for one that is free."
        )
    if error.errno == errno.EACCES:
        return UsageError(f"port {port} may not be taken by everyone; those from 1024 on may.")
    return UsageError(f"nothing can listen at {host}, port {port}: {error.strerror or error}.")
