"""Ctrl-C and SIGTERM as a request to stop that the loop heeds between two steps, after saving."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """Raised once everything is saved; ``exit_code`` is what the process should leave with.

    :param number: of the signal.
    :param where: the folder of the run.
    :param advice: how to go on, where it is not by resuming that run.
    """

    def __init__(self, number: int, where: str, advice: str | None = None) -> None:
        super().__init__(f"Stopped and saved; {advice or f'go on with: cnnlab resume {where}'}")
        self.number, self.where = number, where
        self.exit_code = 128 + number


class StopRequest:
    """Whether somebody asked for the training to stop, and by which signal."""

    def __init__(self) -> None:
        self.number: int | None = None

    def note(self, number: int, frame: FrameType | None) -> None:
        """The signal handler; a second signal of the same kind is no longer caught."""
        self.number = number
        signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)


@contextmanager
def catching_signals() -> Iterator[StopRequest]:
    """A block in which SIGINT and SIGTERM become a request to stop; outside the main thread nothing is caught."""
    stop_request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop_request
        return
    before = {number: signal.signal(number, stop_request.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop_request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
