"""Where workers of a Ray cluster leave what happened, and find what they are to do: an actor of its own.

Messages and answers are packed by :func:`packed` and stay so here: for what they hold this process would have to load
PyTorch. What is large, such as checkpoints, lies in Ray's object store, of which only references pass through here.
"""

import asyncio
import pickle
from contextlib import suppress
from typing import Any

Letter = tuple[bytes, list[Any]]
"""A message or an answer, packed, and references to what belongs to it in the object store."""


def packed(message: Any) -> bytes:
    """A message or an answer as the mailbox takes it."""
    return pickle.dumps(message, protocol=5)


def unpacked(content: bytes) -> Any:
    """What :func:`packed` was given."""
    return pickle.loads(content)


class Mailbox:
    """Messages to the study, answers to workers, and whether the study is closing; its methods run side by side."""

    def __init__(self) -> None:
        self._messages: list[Letter] = []
        self._answers: dict[int, asyncio.Queue[Letter]] = {}
        self._has_news, self._is_closing = asyncio.Event(), asyncio.Event()

    async def put(self, message: bytes, stored: list[Any]) -> None:
        """A worker tells something."""
        self._messages.append((message, stored))
        self._has_news.set()

    async def take(self, timeout: float) -> list[Letter]:
        """All that was told since the last call, waiting for up to so many seconds for something."""
        if not self._messages:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._has_news.wait(), timeout)
        self._has_news.clear()
        messages, self._messages = self._messages, []
        return messages

    async def answer(self, worker: int, word: bytes, stored: list[Any]) -> None:
        """The study answers a worker, by its number: one at the same request that is gone may still be waited for."""
        await self._queue(worker).put((word, stored))

    async def answered(self, worker: int) -> Letter | None:
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

    def _queue(self, worker: int) -> "asyncio.Queue[Letter]":
        return self._answers.setdefault(worker, asyncio.Queue())
