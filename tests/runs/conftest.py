"""Runs made for tests."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cnnlab.core.digests import digest
from cnnlab.runs import RunWriter

RECIPE = {"data": "digits", "model": "convnet(width=32)", "augment": "flip(p=0.5)|shift(0.1)", "epochs": 3, "seed": 0}
SCORES = {"validation": {"n": 50, "accuracy": 0.9, "loss": 0.31}, "test": {"n": 100, "accuracy": 0.875, "loss": 0.4}}

MakeRun = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def make_run(root: Path) -> MakeRun:
    """Makes a finished run with the recipe's keys changed as given, and returns its folder."""

    def make(
        *, name: str = "digits", repeat: int = 1, finish: bool = True, info: dict[str, Any] | None = None, **keys: Any
    ) -> Path:
        recipe = {**RECIPE, **keys}
        with RunWriter.create(
            root, digest=digest(recipe), recipe=recipe, name=name, repeat=repeat, info={"epochs": 3, **(info or {})}
        ) as writer:
            if finish:
                writer.finish(
                    SCORES, epochs_done=3, seconds=12.5, selected={"epoch": 2, "metric": "loss", "value": 0.31}
                )
        return writer.folder

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB of its own, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
