"""Where workers of a Ray cluster leave what happened, and find what they are to do: an actor of its own.

What workers put there is a tuple of a word and what belongs to it: see :mod:`~cnnlab.studies.execution.clusters.ray_worker`.
"""

import asyncio
from typing import Any


class Mailbox:
    """Messages to the study, answers to workers, and whether the study is closing. Its methods run beside each other."""

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._answers: dict[int, asyncio.Queue[Any]] = {}
        self._has_news, self._is_closing = asyncio.Event(), asyncio.Event()

    async def put(self, message: Any) -> None:
        """A worker tells something."""
        self._messages.append(message)
        self._has_news.set()

    async def take(self, timeout: float) -> list[Any]:
        """All that was told since the last call, waiting for up to so many seconds for something."""
        try:
            await asyncio.wait_for(self._has_news.wait(), timeout)
        except TimeoutError:
            return []
        self._has_news.clear()
        messages, self._messages = self._messages, []
        return messages

    async def answer(self, number: int, word: Any) -> None:
        """The study answers the worker that carries out a request."""
        await self._queue(number).put(word)

    async def answered(self, number: int) -> Any:
        """The next answer to a request; None once the study is closing."""
        answer, closing = (
            asyncio.ensure_future(waiting) for waiting in (self._queue(number).get(), self._is_closing.wait())
        )
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

    def _queue(self, number: int) -> "asyncio.Queue[Any]":
        return self._answers.setdefault(number, asyncio.Queue())
