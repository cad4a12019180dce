"""Pictures of several requests computed together, by one thread.

A batch is what waits when the thread is free. Where the bodies of other requests are still on their way, the first of a
batch waits a few milliseconds for these; where nobody else has asked, it waits for nothing.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np

from cnnlab.core.sinks import for_terminal
from cnnlab.models import batch_for
from cnnlab.serving.engine import Answering, Answers, Engine, Pixels, answered_by
from cnnlab.serving.limits import Limits
from cnnlab.serving.metrics import Metrics
from cnnlab.serving.refusals import RefusedError, busy, gone

_log = logging.getLogger("cnnlab")


@dataclass
class _Waiting:
    """Pictures of one request, and where the answer goes."""

    pixels: Pixels
    answer: "asyncio.Future[Answers]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass
class Coming:
    """A request that is on its way, until its pictures are here or it is known that there will be none."""

    is_here: bool = False


class Batcher:
    """The queue before an engine, and the thread that takes from it.

    :param is_filled: whether every batch has as many pictures, as :func:`answered_by` explains.
    """

    def __init__(self, engine: Engine, limits: Limits, metrics: Metrics, *, is_filled: bool = False) -> None:
        self._engine, self._limits, self._metrics, self._is_filled = engine, limits, metrics, is_filled
        size = engine.form.size or (1, 1)
        self.batch = batch_for(size, limits.batch)
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._coming, self._pictures = 0, 0
        self._is_closed = False
        self._failure: Exception | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cnnlab-inference", daemon=True)

    @property
    def is_at_work(self) -> bool:
        """Whether what is asked will be answered: not before it was started, nor once its thread has ended."""
        return self._thread.is_alive() and self._failure is None

    @property
    def waiting(self) -> int:
        """Pictures that wait to be computed."""
        return self._pictures

    def start(self) -> None:
        """Starts the thread, and returns when a first picture was computed.

        :raises Exception: whatever keeps the model from answering.
        """
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Lets the thread finish what waits, and end."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    @contextmanager
    def coming(self) -> Iterator["Coming"]:
        """A block in which a request is read and answered; what is ready to be computed may wait for its pictures.

        :raises RefusedError: 503 when the queue is full.
        """
        self._check_room(1)
        coming = Coming()
        self._coming += 1
        try:
            yield coming
        finally:
            with self._changed:
                self._arrive(coming)

    async def answer(self, coming: "Coming", pixels: Pixels) -> Answers:
        """What is said of the pictures that were coming, uint8 N×C×H×W.

        :raises RefusedError: 503 when the queue is full or the thread has ended, 413 when it would never hold so many.
        """
        if len(pixels) > self._limits.queue:
            raise RefusedError(
                413, f"a request holds at most {self._limits.queue:,} pictures, and this one {len(pixels):,}."
            )
        self._check_room(len(pixels))
        waiting = _Waiting(pixels)
        with self._changed:
            if self._failure is not None:
                raise gone(self._failure)
            self._queue.append(waiting)
            self._pictures += len(pixels)
            self._arrive(coming)
        return await waiting.answer

    def _arrive(self, coming: "Coming") -> None:
        if not coming.is_here:
            coming.is_here = True
            self._coming -= 1
            self._changed.notify()

    def _check_room(self, count: int) -> None:
        if self._pictures + count > self._limits.queue:
            raise busy(f"{self._pictures:,} pictures are waiting already; ask again in a second.")

    def _run(self) -> None:
        try:
            with self._engine.opened() as answer:
                self._warm_up(answer)
                self._ready.set()
                while taken := self._taken():
                    self._compute(answer, taken)
        except Exception as error:
            with self._changed:
                self._failure = error
                left, self._pictures = list(self._queue), 0
                self._queue.clear()
            _answer_all(left, gone(error))
        finally:
            self._ready.set()

    def _warm_up(self, answer: Answering) -> None:
        form = self._engine.form
        height, width = form.size or (1, 1)
        answered_by(answer, np.zeros((1, form.channels or 3, height, width), np.uint8), self.batch, is_filled=True)

    def _taken(self) -> list[_Waiting]:
        """The next batch; empty when all is done."""
        with self._changed:
            while not self._queue and not self._is_closed:
                self._changed.wait()
            until = time.monotonic() + self._limits.wait / 1000
            while 0 < self._pictures < self.batch and self._coming and not self._is_closed:
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            taken: list[_Waiting] = []
            count = 0
            while self._queue and (not taken or count + len(self._queue[0].pixels) <= self.batch):
                taken.append(self._queue.popleft())
                count += len(taken[-1].pixels)
            self._pictures -= count
            return taken

    def _compute(self, answer: Answering, taken: Sequence[_Waiting]) -> None:
        # Those that nobody waits for any more are not computed.
        wanted = [each for each in taken if not each.answer.cancelled()]
        if not wanted:
            return
        count, began = sum(len(each.pixels) for each in wanted), time.perf_counter()
        said: Answers | Exception
        try:
            pixels = np.concatenate([each.pixels for each in wanted]) if len(wanted) > 1 else wanted[0].pixels
            said = answered_by(answer, pixels, self.batch, is_filled=self._is_filled)
            self._metrics.computed(count, time.perf_counter() - began)
        except Exception as error:
            _log.error(for_terminal(f"computing {count} pictures failed: {type(error).__name__}: {error}"))
            said = error
        _answer_all(wanted, said)


def _answer_all(waiting: Sequence[_Waiting], said: Answers | Exception) -> None:
    """From the thread that computes, in one call for all: each wakes the other thread."""
    if waiting:
        # Of a loop that has ended nobody waits any more.
        with suppress(RuntimeError):
            waiting[0].answer.get_loop().call_soon_threadsafe(_deliver, waiting, said)


def _deliver(waiting: Sequence[_Waiting], said: Answers | Exception) -> None:
    place = 0
    for each in waiting:
        end = place + len(each.pixels)
        if not each.answer.done():
            if isinstance(said, Exception):
                each.answer.set_exception(said)
            else:
                each.answer.set_result(said.of(place, end))
        place = end
