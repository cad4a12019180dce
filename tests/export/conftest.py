"""Runs on the digits that are exported, trained once."""

from pathlib import Path

import pytest

from cnnlab import ensembles, training
from cnnlab.runs import Run


@pytest.fixture(scope="session")
def exported_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A perceptron on permuted pixels, a network with batch normalisation, and both as one."""
    folder: Path = tmp_path_factory.mktemp("exported") / "runs"
    base = {"data": "digits", "batch_size": 32, "epochs": 2, "threads": 1, "device": "cpu"}
    perceptron = training.train({**base, "model": "mlp(hidden=[16])", "permute": 3, "name": "perceptron"}, runs=folder)
    convnet = training.train({**base, "model": "conv(8)|bn|relu|pool(2)", "name": "convnet"}, runs=folder)
    return {
        "perceptron": perceptron,
        "convnet": convnet,
        "mean": ensembles.ensemble([perceptron, convnet], "mean", name="mean"),
    }
