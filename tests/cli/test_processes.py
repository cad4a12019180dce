"""What only real processes show: how fast help is, what it imports, signals, and readers that hang up."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import cnnlab
from cnnlab.runs import Run, RunStore, RunWriter

PROGRAM = [sys.executable, "-m", "cnnlab"]


def _run(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "CNNLAB_RUNS": "runs", **environment}
    return subprocess.run([*PROGRAM, *words], cwd=folder, env=settings, capture_output=True, text=True, check=False)


def _imported_by(words: list[str], folder: Path) -> set[str]:
    program = f"""
import sys, json
sys.argv = ["cnnlab", *{words!r}]
from cnnlab.cli import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["runs", "list", "--help"], ["--version"], ["trian"], ["runs", "list"]]
)
def test_what_needs_no_network_to_be_built_imports_neither_torch_nor_pandas(words: list[str], tmp_path: Path) -> None:
    imported = _imported_by(words, tmp_path)
    assert not imported & {"torch", "pandas", "matplotlib", "sklearn", "scipy", "numpy"}


def test_the_test_of_imports_sees_what_is_imported(tmp_path: Path) -> None:
    assert _imported_by(["--help"], tmp_path) >= {"typer", "cnnlab.cli.app"}


def test_the_first_import_of_torch_says_so_when_it_lasts_unless_quiet(tmp_path: Path) -> None:
    torch = tmp_path / "slow" / "torch"
    torch.mkdir(parents=True)
    (torch / "__init__.py").write_text("import time\ntime.sleep(1.3)\nraise ImportError('none today')")
    path = os.pathsep.join([str(torch.parent), str(Path(cnnlab.__file__).parents[1])])
    processes = [
        subprocess.Popen(
            [*PROGRAM, *words], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True
        )
        for words in (["data", "check", "digits"], ["models", "list"], ["data", "check", "digits", "--quiet"])
    ]
    said = [process.communicate()[1].splitlines()[0] for process in processes]
    assert said == ["loading PyTorch …", "loading PyTorch …", "Traceback (most recent call last):"]


def _processor_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_is_quick(tmp_path: Path) -> None:
    seconds = []
    for _ in range(3):
        before = _processor_seconds_of_children()
        assert _run("--help", folder=tmp_path).returncode == 0
        seconds.append(_processor_seconds_of_children() - before)
    # It takes a quarter of a second, and several with torch. Time spent waiting for a busy machine does not count.
    assert min(seconds) < 1.0


def test_the_installed_command_is_this_program(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("cnnlab")
    done = subprocess.run([command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == _run("--version", folder=tmp_path).stdout


def test_a_reader_that_hangs_up_leaves_no_noise(tmp_path: Path) -> None:
    for number in range(300):
        name = f"a-run-with-a-rather-long-name-so-that-the-pipe-overflows-{number}"
        with RunWriter.create(tmp_path / "runs", digest=f"{number:064x}", recipe={"seed": number}, name=name):
            pass
    command = f"{sys.executable} -m cnnlab runs list --json --runs runs | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[\n"
    assert done.stderr == ""


def test_output_survives_a_terminal_without_unicode(tmp_path: Path) -> None:
    done = _run("data", "show", "mnist", folder=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert "1?28?28" in done.stdout


# The program as `python -m cnnlab` starts it, which gets a signal in its 20th step: 13 are an epoch.
SIGNALLED = """
import os, runpy, sys
from cnnlab.training.step import Stepper

number, take, taken = int(sys.argv.pop(1)), Stepper.take, 0

def take_and_signal(self, *given):
    global taken
    taken += 1
    if taken == 20:
        os.kill(os.getpid(), number)
    return take(self, *given)

Stepper.take = take_and_signal
runpy.run_module("cnnlab", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow(15)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_training_that_is_stopped_says_how_to_go_on_and_goes_on(
    number: signal.Signals, code: int, tmp_path: Path, cnnlab: Callable[..., Result]
) -> None:
    words = ["train", "data=digits", "subset=100", "model=mlp(hidden=[8])", "batch_size=8", "epochs=3", "threads=1"]
    settings = {**os.environ, "CNNLAB_RUNS": "runs"}
    command = [sys.executable, "-c", SIGNALLED, str(int(number)), *words, "precision=float32"]
    stopped = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=False)
    assert stopped.returncode == code, stopped.stderr
    lines = stopped.stderr.splitlines()
    assert any(line.startswith("epoch") for line in lines)
    assert lines[-1].startswith("cnnlab: Stopped and saved; go on with: cnnlab resume ")
    (run,) = RunStore(tmp_path / "runs").list()
    assert (run.status, run.epochs_done) == ("unfinished", 1)
    cnnlab("resume", lines[-1].rpartition(" ")[2], "--quiet")
    assert Run(run.folder).status == "finished"
    assert Run(run.folder).epochs_done == 3
