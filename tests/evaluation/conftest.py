"""A run trained for these tests, once."""

from pathlib import Path

import pytest

from cnnlab import training
from cnnlab.runs import Run


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small network on the digits, good enough to be right more often than not."""
    folder: Path = tmp_path_factory.mktemp("evaluated") / "runs"
    recipe = {"data": "digits", "model": "mlp(hidden=[32])", "batch_size": 32, "epochs": 2, "threads": 1}
    return training.train(recipe, runs=folder)
