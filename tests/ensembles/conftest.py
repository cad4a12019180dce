"""Runs trained for these tests, once."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from cnnlab import training
from cnnlab.core.messages import quietly
from cnnlab.runs import Run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three small networks on the digits, of two architectures."""
    folder = tmp_path_factory.mktemp("members") / "runs"
    shared: dict[str, Any] = {"data": "digits", "batch_size": 64, "threads": 1, "precision": "float32"}
    with quietly():
        return [
            training.train(runs=folder, name="wide", model="mlp(hidden=[32])", epochs=2, seed=0, **shared),
            training.train(runs=folder, name="wide", model="mlp(hidden=[32])", epochs=2, seed=1, **shared),
            training.train(runs=folder, name="narrow", model="mlp(hidden=[16])", epochs=3, seed=0, **shared),
        ]


@pytest.fixture
def members(trained: list[Run], tmp_path: Path) -> list[Run]:
    """The same in a folder of the test's own."""
    root = tmp_path / "runs"
    return [Run(shutil.copytree(run.folder, root / run.name)) for run in trained]
