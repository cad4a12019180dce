"""A training with a pipeline of ten operations, killed half-way, on real pictures."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.runs import Run

TEN = "alternating_flip|shift(0.1)|rotate(10)|shear(5)|zoom(0.1)|brightness|gamma|salt_and_pepper|mixup(0.2)|erase"
RECIPE = (
    "data=fashion-mnist",
    "subset=600",
    "model=cnn(filters=[4, 8], dense=[16])",
    f"augment={TEN}",
    "batch_size=50",
    "epochs=3",
    "precision=float32",
    "threads=1",
    "checkpoint_seconds=0.05",
    "name=ten",
)


# The program as `python -m cnnlab` starts it, killed in its 18th step: an epoch has 12.
KILLED = """
import os, runpy, signal
from cnnlab.training.step import Stepper

take, taken = Stepper.take, 0

def take_and_die(self, *given):
    global taken
    taken += 1
    if taken == 18:
        os.kill(os.getpid(), signal.SIGKILL)
    return take(self, *given)

Stepper.take = take_and_die
runpy.run_module("cnnlab", run_name="__main__", alter_sys=True)
"""


def words(runs: Path, data_dir: Path) -> list[str]:
    return ["train", *RECIPE, "--runs", str(runs), "--data-dir", str(data_dir), "--offline", "--quiet"]


def train(runs: Path, data_dir: Path) -> None:
    assert CliRunner().invoke(app, words(runs, data_dir)).exit_code == 0


def train_until_killed(runs: Path, data_dir: Path) -> None:
    command = [sys.executable, "-c", KILLED, *words(runs, data_dir)]
    assert subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == -signal.SIGKILL


def only_run(runs: Path) -> Path:
    (folder,) = (path.parent for path in runs.glob("[!.]*/run.json"))
    return folder


@pytest.mark.slow(8)
def test_a_run_with_ten_operations_resumes_to_the_same_bits(tmp_path, data_dir):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(whole, data_dir)
    train_until_killed(killed, data_dir)
    cut = Run(only_run(killed))
    assert (cut.status, cut.epochs_done) == ("unfinished", 1)
    train(killed, data_dir)
    first, second = only_run(whole), only_run(killed)
    files = [*sorted(path.relative_to(first) for path in first.rglob("*.safetensors")), Path("live.jsonl")]
    assert len(files) > 2
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes(), file
