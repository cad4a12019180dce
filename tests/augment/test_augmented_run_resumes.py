"""A training with a pipeline of ten operations, killed half-way, on real pictures."""

import os
import signal
import subprocess
import sys
import time
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


def command(runs: Path, data_dir: Path) -> list[str]:
    words = [*RECIPE, "--runs", str(runs), "--data-dir", str(data_dir), "--offline", "--quiet"]
    return [sys.executable, "-m", "cnnlab", "train", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def kill_in_the_second_epoch(runs: Path, data_dir: Path) -> None:
    """Starts the training and kills it once it has taken some steps of its second epoch."""
    process = subprocess.Popen(command(runs, data_dir), env=environment(), stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not any('"epoch":2' in live.read_text() for live in runs.glob("*/live.jsonl")):
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < until, "the training never came to its second epoch"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def only_run(runs: Path) -> Path:
    (folder,) = (path.parent for path in runs.glob("*/run.json"))
    return folder


@pytest.mark.slow(25)
def test_a_run_with_ten_operations_resumes_to_the_same_bits(tmp_path, data_dir):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(whole, data_dir), env=environment(), check=True, stdout=subprocess.DEVNULL)
    kill_in_the_second_epoch(killed, data_dir)
    assert Run(only_run(killed)).status == "unfinished"
    subprocess.run(command(killed, data_dir), env=environment(), check=True, stdout=subprocess.DEVNULL)
    first, second = only_run(whole), only_run(killed)
    files = [*sorted(path.relative_to(first) for path in first.rglob("*.safetensors")), Path("live.jsonl")]
    assert len(files) > 2
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes(), file
