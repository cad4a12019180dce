"""A backbone with weights that were drawn, and a transfer made with it, once for all tests."""

import shutil
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

from cnnlab.core import seeds
from cnnlab.core.messages import quietly
from cnnlab.runs import Run
from cnnlab.transfer.api import transfer
from cnnlab.transfer.result import TransferResult

DATA = "digits(size=16)"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torchvision's: features of chance, which tell digits apart well enough."""
    path = tmp_path_factory.mktemp("weights") / "squeeze.safetensors"
    with seeds.scope(1, "weights"):
        save_file(squeezenet1_1().state_dict(), path)
    return path


@pytest.fixture(scope="session")
def backbone(weights: Path) -> str:
    return f"squeezenet1_1(weights={weights})"


@pytest.fixture(scope="session")
def made(backbone: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three classifiers in two repeats."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch, quietly():
        patch.setenv("CNNLAB_CACHE", str(folder / "cache"))
        return transfer(
            DATA,
            backbones=backbone,
            classifiers="gaussian-nb, svc, logistic-regression",
            subset=150,
            repeats=2,
            name="digits",
            runs=folder / "runs",
        ).run


@pytest.fixture
def result(made: Run, tmp_path: Path) -> TransferResult:
    """The same in a folder of the test's own."""
    return TransferResult(Run(shutil.copytree(made.folder, tmp_path / "runs" / made.name)))
