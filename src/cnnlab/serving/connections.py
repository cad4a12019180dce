"""Connections of HTTP that nobody can hold for nothing, and the loop that ends when it is told to.

uvicorn limits how long a connection may be idle between two requests, but neither how long the head of a request may
take nor how long a client may take over an answer.
"""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import HANDLED_SIGNALS

from cnnlab.serving.limits import HEADER_SECONDS, Limits

_MOST_HEAD = 16 * 1024
_TICKS_A_SECOND = 10


class Connection(H11Protocol):
    """A connection that knows since when it has been at what it is at."""

    _since = 0.0
    _seen: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The time is taken from here."""
        self._since = self.loop.time()
        super().connection_made(transport)

    def on_response_complete(self) -> None:
        """And anew from here, for the answer to be taken and for the next request."""
        self._since = self.loop.time()
        super().on_response_complete()

    def is_overdue(self, answering: float) -> bool:
        """Whether a request, or its answer once it was made, is longer on its way than it may be.

        :param answering: seconds in which a request has to be there and answered.
        """
        now = self.loop.time()
        if self.cycle is not self._seen:
            self._seen, self._since = self.cycle, now
        is_at_work = self.cycle is not None and not self.cycle.response_complete
        return now - self._since > (answering if is_at_work else HEADER_SECONDS)


class Loop(uvicorn.Server):
    """The loop of a server; a signal that ends it has done what it was sent for.

    :param on_ready: called once connections are taken.
    :param on_stop: called once no more are.
    """

    def __init__(self, app: Any, limits: Limits, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="off",
                loop="asyncio",
                # Nothing of a request is written anywhere: its head holds the token.
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=limits.connections,
                h11_max_incomplete_event_size=_MOST_HEAD,
                timeout_graceful_shutdown=int(2 * limits.seconds + HEADER_SECONDS) + 1,
            )
        )
        self._limits, self._on_ready, self._on_stop = limits, on_ready, on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes connections, and says so."""
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no more connections, answers what was asked, and ends."""
        self._on_stop()
        sweeping = asyncio.create_task(self._keep_sweeping())
        await super().shutdown(sockets)
        sweeping.cancel()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; once a second those are cut off that take too long."""
        if counter % _TICKS_A_SECOND == 0:
            self._sweep()
        return await super().on_tick(counter)

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._sweep()

    def _sweep(self) -> None:
        answering = 2 * self._limits.seconds + HEADER_SECONDS
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection) and connection.is_overdue(answering):
                connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:  # type: ignore[override]
        """A block in which Ctrl-C and SIGTERM end the loop; uvicorn would raise them again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
