"""What the tests of training share: a recipe so small that a run of it takes a fifth of a second."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnlab.runs import Run
from cnnlab.training import train

TINY = {
    "data": "digits",
    "subset": 120,
    "validation": 60,
    "test": 60,
    "model": "conv(4)|relu|pool|flatten",
    "optimizer": "sgd(lr=0.1)",
    "schedule": "constant",
    "batch_size": 40,
    "epochs": 2,
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "workers": 1,
}


@pytest.fixture
def tiny() -> dict[str, Any]:
    """Three steps an epoch on 120 digits, two epochs."""
    return dict(TINY)


@pytest.fixture
def small_run(tmp_path: Path) -> Callable[..., Run]:
    """Trains the tiny recipe with some keys changed, in a folder of runs of the test's own."""

    def go(**keys: Any) -> Run:
        options = {key: keys.pop(key) for key in ("again", "callbacks", "runs") if key in keys}
        if "steps" in keys:
            keys = {"epochs": None, **keys}
        return train({**TINY, **keys}, offline=True, **{"runs": tmp_path / "runs", **options})

    return go
