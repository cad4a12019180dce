"""Processes that are started for a training, heard and ended: small programs speak in their place."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnlab.core.errors import CnnlabError, CnnlabWarning, DataError, TrainingError, UsageError
from cnnlab.core.messages import printing_notes, quietly
from cnnlab.data.formats.decode import BadImageError
from cnnlab.training.divergence import DivergedError
from cnnlab.training.several_devices import launch
from cnnlab.training.several_devices.process import _known_kind
from cnnlab.training.signals import Interrupted

BEGIN = """
import json, os, signal, sys, time
rank = int(os.environ["RANK"])
order = json.loads(sys.stdin.readline())
def say(**content):
    print(json.dumps(content), flush=True)
"""
Launch = Callable[..., Path]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals end a process there")


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Launch:
    """Has two processes run a program, which knows its ``rank`` and its ``order``."""
    monkeypatch.setattr(launch, "_ENDING_SECONDS", 0.3)

    def start(program: str, **request: Any) -> Path:
        monkeypatch.setattr(launch, "_PROGRAM", (sys.executable, "-S", "-c", BEGIN + program))
        return launch.carry_out(2, "train", request)

    return start


def test_the_folder_is_that_of_the_first(launched: Launch) -> None:
    assert launched("time.sleep(0.1 * (1 - rank)); say(folder=['runs/a', '/there/runs/a'][rank])") == Path("runs/a")


def test_what_is_asked_for_reaches_each(launched: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "elsewhere")
    program = f"""
names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "CNNLAB_RENDEZVOUS")
seen = [order, {{name: os.environ.get(name) for name in names}}, os.getsid(0) == os.getpid()]
open({str(tmp_path)!r} + f"/{{rank}}", "w").write(json.dumps(seen))
say(folder="")
"""
    with quietly():
        launched(program, recipe={"epochs": 1}, runs=Path("runs"))
    with printing_notes():
        launched(program, recipe={"epochs": 1}, runs=Path("runs"))
    for rank in range(2):
        order, environment, is_apart = json.loads((tmp_path / str(rank)).read_text())
        assert order == {"verb": "train", "request": {"recipe": {"epochs": 1}, "runs": "runs"}, "shows": True}
        assert Path(environment.pop("CNNLAB_RENDEZVOUS")).name == "meeting" and is_apart
        assert environment == {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": None}


def test_warnings_are_told_here_and_what_else_is_printed_is_not_heard(launched: Launch) -> None:
    with pytest.warns(CnnlabWarning, match="^slow$") as told:
        launched("print('hello'); print('[1]')\nif rank == 0: say(warning='slow')\nsay(folder='')")
    assert len(told) == 1


def test_nothing_is_shown_by_processes_of_a_quiet_one(launched: Launch) -> None:
    with quietly():
        assert launched("say(folder=str(order['shows']))") == Path("False")


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ({"error": "no such key.", "kind": "UsageError"}, UsageError("no such key.")),
        ({"error": "is damaged.", "kind": "DataError"}, DataError("is damaged.")),
        ({"error": "Traceback", "kind": "KeyError"}, RuntimeError("Traceback")),
        (
            {"error": "is no number.", "kind": "DivergedError", "step": 7, "rate": 0.5},
            DivergedError("is no number.", 7, 0.5),
        ),
    ],
    ids=lambda value: value.get("kind") if isinstance(value, dict) else "",
)
def test_the_error_of_one_is_raised_here(launched: Launch, word: dict[str, Any], error: Exception) -> None:
    # The other is cut off and says nothing.
    program = f"if rank: say(**json.loads({json.dumps(word)!r}))\nsys.exit(1)"
    with pytest.raises(type(error)) as raised:
        launched(program)
    assert type(raised.value) is type(error) and str(raised.value) == str(error)
    assert vars(raised.value) == vars(error)


def test_one_that_dies_ends_the_others_and_its_last_line_is_told(launched: Launch, tmp_path: Path) -> None:
    program = f"""
open({str(tmp_path)!r} + f"/{{rank}}", "w").write(str(os.getpid()))
if rank:
    print("out of memory", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(60)
"""
    text = r"device 2 of 2 ended without a word, by signal 9 \(out of memory\).*the same command goes on"
    with pytest.raises(TrainingError, match=text):
        launched(program)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "0").read_text()), 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_this_process_reaches_all_and_is_raised_once_they_have_saved(launched: Launch, number: int) -> None:
    program = f"""
def stop(number, frame):
    time.sleep(0.05 * (1 - rank))
    say(stopped=number, where=["runs/a", "/there/runs/a"][rank])
    os._exit(128 + number)
signal.signal({int(number)}, stop)
if rank == 0:
    time.sleep(0.1)
    os.kill(os.getppid(), {int(number)})
time.sleep(60)
"""
    with pytest.raises(Interrupted, match="cnnlab resume runs/a") as stopped:
        launched(program)
    assert stopped.value.exit_code == 128 + number


def test_a_signal_before_they_listen_ends_all(launched: Launch) -> None:
    program = "if rank == 0: os.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(60)"
    with pytest.raises(Interrupted, match="the same command goes on"):
        launched(program)


def test_particular_errors_are_told_as_what_all_rooms_know() -> None:
    assert _known_kind(BadImageError("cannot be read.")) == "DataError"
    assert _known_kind(CnnlabError("?")) == "CnnlabError"
