"""What the program says while it works: progress, notes and warnings, all on standard error.

A library stays quiet unless asked. Notes go to the logger ``cnnlab``; warnings are Python warnings of the
category :class:`~cnnlab.core.errors.CnnlabWarning`; progress shows on a terminal only.
"""

import logging
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from cnnlab.core.errors import CnnlabWarning
from cnnlab.core.sinks import for_message, for_terminal

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
    """Whether a progress bar would be seen by someone: a terminal on standard error, and not quiet."""
    return sys.stderr.isatty() and not is_quiet()


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
def announcing(text: str, after: float = 1.0) -> Iterator[None]:
    """A block that says what it is at, if it lasts: ``text``, cut to a line, as a note after so many seconds, once."""
    if is_quiet() or not _log.isEnabledFor(logging.INFO):
        yield
        return
    text = for_terminal(text)
    line = text if len(text) <= _LINE else text[:_LINE].rstrip(" ,(")
    timer = threading.Timer(after, _log.info, [f"{line} …"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def warn(text: str) -> None:
    """Warns of something that a person should know."""
    warnings.warn(for_message(text), CnnlabWarning, stacklevel=3)


def first_few(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """The items one by one, with a progress bar on a terminal."""
    if not shows_bars():
        yield from items
        return
    from rich.markup import escape
    from rich.progress import track as rich_track

    yield from rich_track(
        items, description=escape(for_terminal(description)), total=total, console=bar_console(), transient=True
    )
