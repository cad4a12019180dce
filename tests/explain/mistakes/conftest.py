"""A run on the digits with weights kept on the way, and predictions of made-up networks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnlab import training
from cnnlab.core.messages import quietly
from cnnlab.runs import Run


@pytest.fixture(scope="session")
def learning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder: Path = tmp_path_factory.mktemp("learning") / "runs"
    with quietly():
        yield training.train(
            runs=folder,
            name="learning",
            data="digits",
            model="mlp(hidden=[16])",
            epochs=3,
            snapshots=[0, 1, 2],
            batch_size=64,
            threads=1,
            precision="float32",
        )
