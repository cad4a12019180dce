"""Bodies of requests, read into memory within their limits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request

from cnnlab.serving.limits import Limits
from cnnlab.serving.refusals import RefusedError, busy


class Bodies:
    """The bodies of all requests at work, which together take no more memory than is allowed."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._held = limits, 0

    @asynccontextmanager
    async def of(self, request: Request) -> AsyncIterator[bytearray]:
        """The body of a request, for as long as the block lasts.

        :raises RefusedError: 413 when it is too large, 408 when it comes too slowly, 415 when it is packed, 503 when
            others take all the room.
        """
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise RefusedError(415, "bodies are read as they are; send this one without Content-Encoding.")
        self._check(int(request.headers.get("content-length", 0)))
        body = bytearray()
        try:
            await self._read(request, body)
            yield body
        finally:
            self._held -= len(body)

    async def _read(self, request: Request, body: bytearray) -> None:
        try:
            async with asyncio.timeout(self._limits.seconds):
                async for piece in request.stream():
                    self._check(len(body) + len(piece))
                    if self._held + len(piece) > self._limits.held:
                        raise busy("other requests take all the room there is; ask again in a second.")
                    body += piece
                    self._held += len(piece)
        except TimeoutError:
            raise RefusedError(408, f"the body did not arrive within {self._limits.seconds:g} seconds.") from None
        except ClientDisconnect:
            raise RefusedError(400, "the body ended before its end.") from None

    def _check(self, size: int) -> None:
        if size > self._limits.body:
            raise RefusedError(413, f"a request has at most {self._limits.body:,} bytes.")
