import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cnnlab.core.errors import RunBusyError
from cnnlab.runs import Run
from cnnlab.training import Interrupted, resume, train
from cnnlab.training.signals import StopRequest, catching_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_becomes_a_wish_and_the_next_one_acts_as_ever(number: int) -> None:
    before = signal.getsignal(number)
    with catching_signals() as stop_request:
        assert stop_request.number is None
        signal.raise_signal(number)
        assert stop_request.number == number
        second = signal.getsignal(number)
        assert second is (signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    assert signal.getsignal(number) is before


def test_handlers_are_put_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), catching_signals():
        1 / 0  # noqa: B018
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_nothing_is_caught_and_training_works(tiny: dict[str, Any], tmp_path: Path) -> None:
    results: list[Any] = []

    def work() -> None:
        with catching_signals() as stop_request:
            results.append(stop_request)
        results.append(train(tiny, runs=tmp_path, offline=True).status)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert isinstance(results[0], StopRequest)
    assert results[1] == "finished"


def test_the_exit_code_is_that_of_the_signal() -> None:
    assert Interrupted(signal.SIGINT, "runs/a").exit_code == 130
    assert Interrupted(signal.SIGTERM, "runs/a").exit_code == 143
    assert "\n" not in str(Interrupted(signal.SIGINT, "runs/a"))


PROGRAM = """
import json, sys
from cnnlab.training import Interrupted, train
from cnnlab.training.step import Stepper

take = Stepper.take

def told(self, batch, moment):
    print("step", flush=True)
    sys.stdin.readline()
    return take(self, batch, moment)

Stepper.take = told
try:
    train(json.loads(sys.argv[1]), runs=sys.argv[2], offline=True)
except Interrupted as stopped:
    print(stopped, file=sys.stderr)
    sys.exit(stopped.exit_code)
"""


@pytest.mark.slow(10)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_real_process_saves_on_a_signal_and_the_run_ends_as_if_nothing_had_been(
    number: int, code: int, tiny: dict[str, Any], tmp_path: Path
) -> None:
    tiny |= {"epochs": 4, "optimizer": "adam", "augment": "shift(0.1)"}
    whole = train(tiny, runs=tmp_path / "whole", offline=True)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(tiny), str(tmp_path / "cut")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    # Four steps, and in the middle of the fifth, the second of the second epoch, the signal.
    for step in range(5):
        assert process.stdout.readline() == "step\n"
        if step < 4:
            process.stdin.write("go on\n")
            process.stdin.flush()
    (folder,) = (path.parent for path in (tmp_path / "cut").glob("[!.]*/run.json"))
    with pytest.raises(RunBusyError, match=f"process {process.pid}"):
        resume(folder)
    process.send_signal(number)
    time.sleep(0.2)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == code
    # Libraries may warn of the machine; the last word is ours.
    assert errors.splitlines()[-1] == f"Stopped and saved; go on with: cnnlab resume {folder}"
    assert "Traceback" not in errors
    cut = Run(folder)
    assert (cut.status, cut.is_running) == ("unfinished", False)
    # The step under way was taken to its end, and the next was not begun.
    assert len(cut.live) == 5
    done = resume(cut)
    for name in ("model.safetensors", "predictions/test.safetensors", "live.jsonl"):
        assert (done.folder / name).read_bytes() == (whole.folder / name).read_bytes()
