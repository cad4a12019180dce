"""Pictures of one brightness each, and a classifier that tells them apart."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from greys import CLASSES, Nearest, png

from cnnlab.models import Classifier

Write = Callable[[Mapping[str, int]], Path]


@pytest.fixture
def network() -> Nearest:
    return Nearest()


@pytest.fixture
def classifier(network: Nearest) -> Classifier:
    return Classifier(network, (1, 6, 6), [0.0], [1.0], {"label": CLASSES}, "classes(column=label)", "own")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes pictures of the brightnesses given into ``test/``."""

    def write(greys: Mapping[str, int]) -> Path:
        for name, grey in greys.items():
            path = tmp_path / "test" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(grey))
        return tmp_path / "test"

    return write
