"""A run on the digits that kept its weights on the way."""

from collections.abc import Iterator

import pytest

from cnnlab import training
from cnnlab.core.messages import quietly
from cnnlab.runs import Run


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with quietly():
        yield training.train(
            runs=tmp_path_factory.mktemp("kept") / "runs",
            name="kept",
            data="digits",
            model="mlp(hidden=[32])",
            epochs=3,
            snapshots=[0, 1],
            batch_size=64,
            threads=1,
            precision="float32",
        )
