"""A run killed at any moment and started again ends as one that was never interrupted, to the bit."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cnnlab.core.files import cache_folder

SMALL = {
    "data": "digits",
    "subset": 400,
    "model": "cnn(filters=[6, 12], dense=[24])",
    "optimizer": "adam(lr=3e-3)",
    "batch_size": 40,
    "epochs": 5,
    "precision": "float32",
    "threads": 1,
    "checkpoint_seconds": 0.05,
    "name": "small",
}
MODES: dict[str, dict[str, Any]] = {
    "plain": {},
    "augmentation": {"augment": "flip|shift(0.1)|rotate(10)|erase(p=0.5)"},
    "dropout": {"model": "cnn(filters=[6, 12], dense=[24], dropout=0.4)", "precision": "bfloat16"},
    "ema and restarts": {
        "ema": 0.98,
        "optimizer": "sgd(lr=0.05, momentum=0.9, nesterov=true)",
        "schedule": "cosine-restarts(period=2)",
        "select": "last",
        "snapshots": [2, 4],
    },
    "phases of parts": {
        "model": "conv(6)|bn|relu|pool|conv(12)|bn|relu|dropout(0.3)|pool|dense(24)|relu|dropout(0.3)",
        "ema": 0.98,
        "epochs": None,
        "phases": [
            {"train": "head", "epochs": 1},
            {"train": "all-block1", "epochs": 2, "unfreeze": 1, "layer_decay": 0.5},
            {"train": "block2+head", "epochs": 1, "optimizer": "sgd(lr=0.05, momentum=0.9)", "norms": "train"},
            {"epochs": 1, "rates": {"head": 0.01}},
        ],
        "snapshots": [1, 3, 4],
    },
    "frozen parts computed once": {
        "model": "conv(6)|bn|relu|pool|conv(12)|bn|relu|pool|dense(24)|relu|dropout(0.3)",
        "subset": 200,
        "ema": 0.98,
        "epochs": None,
        "phases": [
            {"train": "head", "epochs": 2},
            {"train": "block2..head", "epochs": 2, "augment": "shift(0.1)", "views": 2},
        ],
        "snapshots": [2, 3],
        "checkpoint_seconds": 0,
    },
    "an adversary": {"adversary": "fast(eps=0.1, warmup=3)", "augment": "mixup", "label_smoothing": 0.1},
    "writing a checkpoint": {"checkpoint_seconds": 0},
}
WRITES = {"frozen parts computed once": (126, 150), "writing a checkpoint": (1, 150)}
"""Modes killed at moments of writing, by their numbers: about the change of phase every other time; or always."""
_TIMES = {"seconds", "images_per_second"}


class Zygote:
    """Forks a training for each order; see victim.py."""

    def __init__(self) -> None:
        self.features = cache_folder() / "features"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("victim.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._line() == "ready"

    def train(self, runs: Path, recipe: dict[str, Any], *, after: float | None = None, write: int | None = None) -> int:
        """Trains, killing the process after so many seconds or at that write; the exit status."""
        assert self.process.stdin is not None
        order = {"runs": str(runs), "recipe": recipe, "fatal_write": write, "fatal_time": after}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    zygote = Zygote()
    yield zygote
    zygote.close()


def _only_run(runs: Path) -> Path:
    # A hidden folder is a run whose making was cut short; the store removes it later.
    (folder,) = (path.parent for path in runs.glob("[!.]*/run.json"))
    return folder


def _content(folder: Path) -> dict[str, Any]:
    """Everything of a finished run that must not depend on interruptions."""
    with (folder / "history.csv").open(newline="") as file:
        columns, *lines = csv.reader(file)
    kept = [place for place, name in enumerate(columns) if name not in _TIMES]
    rows = [[line[place] for place in kept] for line in (columns, *lines)]
    weights = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.safetensors"))}
    info = json.loads((folder / "run.json").read_text())
    live = (folder / "live.jsonl").read_text()
    frozen = {
        number: {key: value for key, value in facts.items() if key not in (*_TIMES, "found")}
        for number, facts in (info.get("frozen_features") or {}).items()
    }
    scores = {"scores": info["scores"], "selected": info["selected"]}
    return {"history": rows, "files": weights, **scores, "live": live, "frozen": frozen}


@pytest.mark.slow(40)
@pytest.mark.parametrize("mode", MODES)
def test_killed_run_ends_as_the_uninterrupted_one(mode: str, zygote: Zygote, tmp_path: Path, kills: int) -> None:
    recipe = SMALL | MODES[mode]
    draw = random.Random(mode)
    began = time.monotonic()
    assert zygote.train(tmp_path / "whole", recipe) == 0
    duration = time.monotonic() - began
    expected = _content(_only_run(tmp_path / "whole"))
    assert [facts["views"] for facts in expected["frozen"].values()] == ([1, 2] if "frozen" in mode else [])

    done, attempt = 0, 0
    while done < kills:
        attempt += 1
        runs = tmp_path / f"killed-{attempt}"
        # Killed, too, while what frozen parts put out is computed, and not only when it is found.
        shutil.rmtree(zygote.features, ignore_errors=True)
        while done < kills:
            if mode in WRITES and (done % 2 == 0 or mode == "writing a checkpoint"):
                status = zygote.train(runs, recipe, write=draw.randint(*WRITES[mode]))
            else:
                status = zygote.train(runs, recipe, after=draw.uniform(0.0, duration))
            if status == 0:
                break
            assert status == -signal.SIGKILL
            done += 1
        assert zygote.train(runs, recipe) == 0
        assert _content(_only_run(runs)) == expected
        assert not list(_only_run(runs).rglob("*.part")), "a half-written file was left behind"
