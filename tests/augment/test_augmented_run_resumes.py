"""A training with a pipeline of ten operations, killed half-way, on real pictures."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlab.runs import Run

TEN = "alternating_flip|shift(0.1)|rotate(10)|shear(5)|zoom(0.1)|brightness|gamma|salt_and_pepper|mixup(0.2)|erase"
RECIPE = (
    "data=fashion-mnist",
    "subset=2000",
    "model=cnn(filters=[4, 8], dense=[16])",
    f"augment={TEN}",
    "batch_size=50",
    "epochs=3",
    "precision=float32",
    "threads=1",
    "checkpoint_seconds=0.05",
    "name=ten",
)


# The program as `python -m cnnlab` starts it, killed in its 60th step: an epoch has some 40.
KILLED = """
import os, runpy, signal
from cnnlab.training.step import Stepper

take, taken = Stepper.take, 0

def take_and_die(self, *given):
    global taken
    taken += 1
    if taken == 60:
        os.kill(os.getpid(), signal.SIGKILL)
    return take(self, *given)

Stepper.take = take_and_die
runpy.run_module("cnnlab", run_name="__main__", alter_sys=True)
"""


def trained(runs: Path, data_dir: Path, *program: str) -> int:
    """Trains, and returns the exit status."""
    words = [*RECIPE, "--runs", str(runs), "--data-dir", str(data_dir), "--offline", "--quiet"]
    command = [sys.executable, *(program or ("-m", "cnnlab")), "train", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL).returncode


def only_run(runs: Path) -> Path:
    (folder,) = (path.parent for path in runs.glob("[!.]*/run.json"))
    return folder


@pytest.mark.slow(25)
def test_a_run_with_ten_operations_resumes_to_the_same_bits(tmp_path, data_dir):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert trained(whole, data_dir) == 0
    assert trained(killed, data_dir, "-c", KILLED) == -signal.SIGKILL
    cut = Run(only_run(killed))
    assert (cut.status, cut.epochs_done) == ("unfinished", 1)
    assert trained(killed, data_dir) == 0
    first, second = only_run(whole), only_run(killed)
    files = [*sorted(path.relative_to(first) for path in first.rglob("*.safetensors")), Path("live.jsonl")]
    assert len(files) > 2
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes(), file
