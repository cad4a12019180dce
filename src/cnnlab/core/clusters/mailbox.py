"""Where workers of a Ray cluster leave what happened, and find what they are to do: an actor of its own.

Messages and answers are packed by :func:`packed` and stay so here: for what they hold this process would have to load
PyTorch.
"""

import asyncio
import pickle
from contextlib import suppress
from typing import Any


def packed(message: Any) -> bytes:
    """A message or an answer as the mailbox takes it."""
    return pickle.dumps(message, protocol=5)


def unpacked(content: bytes) -> Any:
    """What :func:`packed` was given."""
    return pickle.loads(content)


class Mailbox:
    """Messages to the study, answers to workers, and whether the study is closing; its methods run side by side."""

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._answers: dict[int, asyncio.Queue[bytes]] = {}
        self._has_news, self._is_closing = asyncio.Event(), asyncio.Event()

    async def put(self, message: bytes) -> None:
        """A worker tells something."""
        self._messages.append(message)
        self._has_news.set()

    async def take(self, timeout: float) -> list[bytes]:
        """All that was told since the last call, waiting for up to so many seconds for something."""
        if not self._messages:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._has_news.wait(), timeout)
        self._has_news.clear()
        messages, self._messages = self._messages, []
        return messages

    async def answer(self, worker: int, word: bytes) -> None:
        """The study answers a worker, by its number: one at the same request that is gone may still be waited for."""
        await self._queue(worker).put(word)

    async def answered(self, worker: int) -> bytes | None:
        """The next answer to a worker; None once the study is closing."""
        answer = asyncio.ensure_future(self._queue(worker).get())
        closing = asyncio.ensure_future(self._is_closing.wait())
        await asyncio.wait((answer, closing), return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        if not answer.done():
            answer.cancel()
            return None
        return answer.result()

    async def close(self) -> None:
        """The study asks all workers to save and stop."""
        self._is_closing.set()

    async def closed(self) -> None:
        """Comes back when it has."""
        await self._is_closing.wait()

    def _queue(self, worker: int) -> "asyncio.Queue[bytes]":
        return self._answers.setdefault(worker, asyncio.Queue())
