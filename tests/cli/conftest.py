"""The command line as the tests call it, and runs for it to work on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cnnlab.core.digests import digest
from cnnlab.runs import Run, RunWriter

Cnnlab = Callable[..., Result]
MakeRun = Callable[..., Path]

RECIPE = {"data": "digits", "model": "mlp(hidden=[32], dropout=0.0)", "augment": "none", "epochs": 3, "seed": 0}
SCORES = {
    "train": {"loss": 0.2, "accuracy": 0.95, "n": 1294},
    "validation": {"loss": 0.31, "accuracy": 0.9, "n": 144},
    "test": {"loss": 0.4, "accuracy": 0.875, "n": 359},
}
SELECTED = {"epoch": 2, "metric": "validation_accuracy", "value": 0.9}


@pytest.fixture
def cnnlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cnnlab:
    """Runs a command line in an empty folder and returns what came of it; ``exit_code`` is 0 unless told otherwise."""
    from cnnlab.cli.app import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")

    def call(*words: str | Path, exit_code: int = 0, input: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(map(str, words)), input=input, prog_name="cnnlab")
        assert result.exit_code == exit_code, result.output
        return result

    return call


@pytest.fixture
def document(cnnlab: Cnnlab) -> Callable[..., Any]:
    """The JSON document that a command line with ``--json`` writes: all that it writes to standard output."""

    def call(*words: str | Path, exit_code: int = 0) -> Any:
        return json.loads(cnnlab(*words, "--json", exit_code=exit_code).stdout)

    return call


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Makes a finished run under ``runs/`` with the recipe's keys changed as given, and returns its folder."""

    def make(name: str = "digits", *, finish: bool = True, info: dict[str, Any] | None = None, **keys: Any) -> Path:
        recipe = {**RECIPE, **keys}
        execution = {"device": "cpu", "precision": "float32", "threads": 1, "channels_last": True}
        facts = {"epochs": 3, "execution": execution, "data": {"name": "digits", "sizes": {"train": 1294}}}
        with RunWriter.create(
            tmp_path / "runs", digest=digest(recipe), recipe=recipe, name=name, info={**facts, **(info or {})}
        ) as writer:
            writer.history([_row(epoch) for epoch in range(1, 4)])
            if finish:
                writer.finish(SCORES, epochs_done=3, seconds=12.5, selected=SELECTED)
        return writer.folder

    return make


def _row(epoch: int) -> dict[str, float]:
    row = {
        "epoch": epoch,
        "learning_rate_start": 0.04,
        "learning_rate_end": 0.05,
        "train_loss": 1 / epoch,
        "train_accuracy": 0.9,
    }
    return row | {"validation_loss": 0.5, "validation_accuracy": 0.9, "seconds": 1.5, "images_per_second": 862.7}


@pytest.fixture(scope="session")
def _trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cnnlab import training

    runs = tmp_path_factory.mktemp("trained") / "runs"
    recipe = {"data": "digits", "model": "mlp(hidden=[32])", "batch_size": 32, "epochs": 2, "threads": 1}
    return training.train(recipe, runs=runs).folder


@pytest.fixture
def trained(_trained_once: Path, tmp_path: Path) -> Run:
    """A run really trained, under ``runs/`` of the current folder."""
    return Run(shutil.copytree(_trained_once, tmp_path / "runs" / _trained_once.name))
