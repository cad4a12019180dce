"""A run whose data was named by a relative path is gone on with, extended and evaluated from any other folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlab.core.errors import DataError, UsageError
from cnnlab.evaluation import evaluate
from cnnlab.training import extend, resume

Cut = Callable[..., tuple[Any, Any]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data in it, in which the test begins."""
    draws = np.random.default_rng(0)
    images, labels = draws.integers(0, 255, (60, 8, 8), dtype=np.uint8), np.arange(60) % 3
    (tmp_path / "home" / "d").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    np.savez(tmp_path / "home" / "d" / "set.npz", x=images, y=labels)
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.delenv("CNNLAB_DATA", raising=False)
    return tmp_path / "home"


@pytest.fixture
def started(home: Path, interrupted: Cut, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run cut short at home, seen from elsewhere."""
    keys = {"data": "d/set.npz", "subset": None, "validation": 10, "test": 10, "batch_size": 10}
    run, _ = interrupted(**keys, after=2)
    monkeypatch.chdir(home.parent / "elsewhere")
    return run


def test_it_is_gone_on_with_extended_and_evaluated_from_elsewhere(started: Any) -> None:
    assert started.recipe["data"].startswith("npz(path=d/set.npz")
    run = resume(started)
    assert run.status == "finished"
    assert evaluate(run).scores["accuracy"] == run.test.accuracy
    longer = extend(run, "+1")
    assert longer.status == "finished" and longer.recipe["data"] == run.recipe["data"]
    assert evaluate(longer).scores["accuracy"] == longer.test.accuracy


def test_a_folder_that_is_named_is_looked_in_instead(started: Any, home: Path, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    with pytest.raises(DataError, match=r"no file or folder d/set\.npz"):
        resume(started, data_dir=tmp_path / "given")
    assert resume(started, data_dir=home).status == "finished"


def test_data_that_was_changed_meanwhile_is_still_told_from_that_of_the_run(started: Any, home: Path) -> None:
    images = np.random.default_rng(1).integers(0, 255, (60, 8, 8), dtype=np.uint8)
    np.savez(home / "d" / "set.npz", x=images, y=np.arange(60) % 3)
    with pytest.raises(UsageError, match="has changed since the run was started"):
        resume(started)
