"""What the program says while it works: progress, notes and warnings, all on standard error.

Where a person looks on, at a terminal or in a notebook, progress is shown and notes are printed; elsewhere notes go to
the logger ``cnnlab`` alone, unless progress was asked for. Warnings are Python warnings of the category
:class:`~cnnlab.core.errors.CnnlabWarning`.
"""

import logging
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cnnlab.core import notebook
from cnnlab.core.errors import CnnlabWarning
from cnnlab.core.sinks import for_message, for_terminal, in_short

if TYPE_CHECKING:
    from rich.console import Console

_LINE = 78
_MOST_NAMED = 10
T = TypeVar("T")
_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
_log = logging.getLogger("cnnlab")


@contextmanager
def quietly(quiet: bool = True) -> Iterator[None]:
    """A block without progress and notes; warnings and errors still come through."""
    token = _quiet.set(quiet)
    try:
        yield
    finally:
        _quiet.reset(token)


def is_quiet() -> bool:
    """Whether progress and notes are switched off here."""
    return _quiet.get()


def shows_bars() -> bool:
    """Whether a progress bar would be seen by someone: a terminal on standard error, or a notebook, and not quiet."""
    return not is_quiet() and (sys.stderr.isatty() or notebook.is_here())


def prints_notes() -> bool:
    """Whether notes go anywhere just now."""
    return not is_quiet() and _log.isEnabledFor(logging.INFO)


class NoteHandler(logging.Handler):
    """Prints notes to whatever is standard error just then: a progress bar puts itself in its place.

    In a notebook they go to standard output, for the other is shown as if something were wrong.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """A line."""
        print(for_terminal(record.getMessage()), file=sys.stdout if notebook.is_here() else sys.stderr)


@contextmanager
def printing_notes() -> Iterator[None]:
    """A block whose notes are printed."""
    handler, before = NoteHandler(), _log.level
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    try:
        yield
    finally:
        _log.removeHandler(handler)
        _log.setLevel(before)


@contextmanager
def showing(progress: bool | None = None) -> Iterator[None]:
    """A block of Python whose progress and notes are shown where somebody looks on.

    Where notes go somewhere already, as those of a command do, they go on doing so.

    :param progress: ``True`` has them written elsewhere too, as lines on standard error, ``False`` nowhere.
    """
    with quietly(is_quiet() or progress is False), ExitStack() as stack:
        if (shows_bars() or (progress and not is_quiet())) and not _log.isEnabledFor(logging.INFO):
            stack.enter_context(printing_notes())
        yield


@cache
def bar_console() -> "Console":
    """The one console of all progress bars and live tables, on standard error.

    Bars inside one another then stand in lines of their own. While one is shown it stands in the place of
    ``sys.stderr``, so that notes and warnings written to that appear above it.
    """
    from rich.console import Console

    return Console(stderr=True)


def note(text: str) -> None:
    """Says something useful that needs no action."""
    if not is_quiet():
        _log.info(for_terminal(text))


@contextmanager
def announcing(text: str, after: float | None = None) -> Iterator[None]:
    """A block that says what it is at, if it lasts: ``text``, cut to a line.

    On a terminal and in a notebook it is shown for as long as the block lasts, and how long that is; elsewhere it is a
    note, once.

    :param after: so many seconds; the fifth of one where it goes away again, one where it stays.
    """
    if is_quiet() or not _log.isEnabledFor(logging.INFO):
        yield
        return
    text = for_terminal(text)
    line = f"{text if len(text) <= _LINE else text[:_LINE].rstrip(' ,(')} …"
    status: _NoteStatus | _TerminalStatus = _TerminalStatus(line) if sys.stderr.isatty() else _NoteStatus(line)
    timer = threading.Timer(status.after if after is None else after, status.show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        status.hide()


class _NoteStatus:
    """What a block is at, as a note."""

    after = 1.0

    def __init__(self, line: str) -> None:
        self.line = line

    def show(self) -> None:
        _log.info(self.line)

    def hide(self) -> None:
        """It stays."""


class _TerminalStatus:
    """What a block is at, in a line that turns and counts seconds until the block is done."""

    after = 0.2

    def __init__(self, line: str) -> None:
        self.line, self.bar, self.is_over, self.lock = line, cast("Any", None), False, threading.Lock()

    def show(self) -> None:
        """Called by a timer, perhaps just as the block ends."""
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        with self.lock:
            if not self.is_over:
                columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
                self.bar = Progress(*columns, console=bar_console(), transient=True)
                self.bar.add_task(self.line, total=None)
                self.bar.start()

    def hide(self) -> None:
        with self.lock:
            self.is_over = True
            if self.bar is not None:
                self.bar.stop()


def warn(text: str) -> None:
    """Warns of something that a person should know."""
    warnings.warn(for_message(text), CnnlabWarning, stacklevel=3)


def first_few(names: Sequence[str]) -> str:
    """The first of the names, each in short, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(map(in_short, names[:_MOST_NAMED]))}{more}"


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """The items one by one, with a progress bar on a terminal or in a notebook."""
    if not shows_bars():
        yield from items
        return
    if notebook.is_here():
        yield from notebook.bar(items, desc=for_terminal(description), total=total)
        return
    from rich.markup import escape
    from rich.progress import track as rich_track

    yield from rich_track(
        items, description=escape(for_terminal(description)), total=total, console=bar_console(), transient=True
    )
