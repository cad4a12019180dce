"""Notes, warnings and progress."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from screen import Terminal

from cnnlab.core import messages
from cnnlab.core.errors import CnnlabWarning


def test_note_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "cnnlab"):
        messages.note("trained already")
    assert [(r.name, r.getMessage()) for r in caplog.records] == [("cnnlab", "trained already")]


def test_quiet_block_drops_notes_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "cnnlab"):
        with messages.quietly():
            assert messages.is_quiet()
            messages.note("unheard")
            with messages.quietly(False):
                messages.note("heard")
        assert not messages.is_quiet()
    assert [r.getMessage() for r in caplog.records] == ["heard"]


def test_quiet_ends_with_an_error() -> None:
    def fail() -> None:
        with messages.quietly():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not messages.is_quiet()


def test_warning_comes_through_also_when_quiet_and_names_the_caller() -> None:
    def library_function() -> None:
        messages.warn("look out")

    with messages.quietly(), pytest.warns(CnnlabWarning, match="look out") as caught:
        library_function()
    assert caught[0].filename == __file__


def test_note_says_nothing_on_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    messages.note("a library is quiet")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("terminal", [True, False])
def test_tracked_items_pass_through_and_stdout_stays_clean(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert messages.shows_bars() == terminal
    assert list(messages.track(iter("abc"), "Decoding", total=3)) == ["a", "b", "c"]
    out, err = capsys.readouterr()
    assert out == ""
    assert bool(err) == terminal


def test_quiet_shows_no_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with messages.quietly():
        assert list(messages.track([1], "Decoding", total=1)) == [1]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("progress", "heard"), [(None, ""), (True, "epoch 1\n"), (False, "")])
def test_in_a_pipe_notes_are_written_where_progress_is_asked_for(
    progress: bool | None, heard: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with messages.showing(progress):
        messages.note("epoch 1")
    with messages.quietly(), messages.showing(progress):
        messages.note("unheard")
    assert capsys.readouterr() == ("", heard)


def test_a_block_that_lasts_says_what_it_is_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "cnnlab"):
        with messages.announcing("reading pictures", after=0.01):
            _wait_until(lambda: bool(caplog.messages))
        time.sleep(0.05)
    assert caplog.messages == ["reading pictures …"]


def test_a_block_that_is_soon_over_or_quiet_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "cnnlab"):
        with messages.announcing("reading pictures", after=60):
            pass
        with messages.quietly(), messages.announcing("reading pictures", after=0):
            time.sleep(0.05)
        with pytest.raises(ZeroDivisionError), messages.announcing("reading pictures", after=60):
            1 / 0  # noqa: B018
    assert not caplog.messages
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    assert all(timer.finished.is_set() for timer in timers)


@contextmanager
def terminal() -> Iterator[Terminal]:
    """Standard error as a terminal, with notes written to whatever stands in its place, as the command line does."""
    log, handler = logging.getLogger("cnnlab"), logging.Handler()
    handler.emit = lambda record: print(record.getMessage(), file=sys.stderr)  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", Terminal())
        patch.setenv("TERM", "xterm")
        messages.bar_console.cache_clear()
        before = log.level
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            yield sys.stderr  # type: ignore[misc]
        finally:
            log.setLevel(before)
            log.removeHandler(handler)
            messages.bar_console.cache_clear()


BARS = ("Decoding", "timing steps")


def test_what_is_said_while_a_bar_is_shown_stands_above_it_in_a_line_of_its_own() -> None:
    with terminal() as shown:
        for _ in messages.track([1, 2], BARS[0], total=2):
            messages.note("half of it")
            time.sleep(0.2)
    screens = list(shown.screens)
    texts = {line for screen in screens for line in screen if "half" in line}
    assert all(not line.startswith(BARS) and "━" not in line for line in texts)
    assert [line for line in screens[-1] if line] == ["half of it"] * 2
    # It is seen while the bar is, and above it.
    assert any("half of it" in screen and screen[-1].startswith(BARS[0]) for screen in screens)


def test_on_a_terminal_it_is_seen_for_how_long_a_block_has_been_at_what() -> None:
    with terminal() as shown:
        with messages.announcing("reading pictures", after=0.01):
            _wait_until(lambda: "0:00:01" in shown.getvalue())
        messages.note("read")
    screens = list(shown.screens)
    assert any("reading pictures … 0:00:00" in line for screen in screens for line in screen)
    assert any("reading pictures … 0:00:01" in line for screen in screens for line in screen)
    assert [line for line in screens[-1] if line] == ["read"]


def test_python_shows_what_the_command_line_shows_where_somebody_looks_on(capsys: pytest.CaptureFixture[str]) -> None:
    with messages.showing():
        messages.note("nobody looks on")
    assert capsys.readouterr().err == ""
    with terminal() as shown:
        logging.getLogger("cnnlab").setLevel(logging.NOTSET)
        logging.getLogger("cnnlab").handlers.clear()
        with messages.showing(False):
            messages.note("unwanted")
        with messages.showing(), messages.showing():
            messages.note("said once")
        messages.note("afterwards")
    assert [line for line in list(shown.screens)[-1] if line] == ["said once"]


def test_bars_inside_one_another_stand_in_lines_of_their_own() -> None:
    with terminal() as shown:
        for _ in messages.track([1, 2], BARS[1], total=2):
            for _ in messages.track([1, 2], BARS[0], total=2):
                time.sleep(0.15)
    screens = list(shown.screens)
    together = [screen for screen in screens if all(any(b in line for line in screen) for b in BARS)]
    assert together
    # Each is drawn over itself: no screen shows a bar twice, nor one over the other.
    assert all(sum(bar in line for line in screen) <= 1 for screen in screens for bar in BARS)


def _wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
