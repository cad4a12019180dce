"""Fixtures shared by every test."""

import functools
import os
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image
from typer.main import get_command

# Processes of several threads that share the cores with others would spend most of their time spinning. It is read when
# torch is loaded, here and in processes that tests start.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A busy machine is no failure. Examples are the same each time, so that what fails was broken by what was changed;
# others are looked for by `pytest --hypothesis-profile=explore`.
_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("cnnlab", derandomize=True, **_PATIENT)
settings.register_profile("explore", max_examples=500, **_PATIENT)
settings.load_profile("cnnlab")


@pytest.fixture(scope="session", autouse=True)
def _shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The cache of what is made before a test begins; its kernels, which take a compiler seconds, serve all tests."""
    base = tmp_path_factory.getbasetemp()
    cache = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared-cache"
    (cache / "kernels").mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNLAB_CACHE", str(cache))
        yield cache


@pytest.fixture(scope="session", autouse=True)
def _commands_put_together_once() -> Iterator[None]:
    """Has the runner of command lines keep what it makes of all commands, which takes longer than most of these do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", functools.cache(get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def _not_waiting_for_the_disk() -> Iterator[None]:
    """Leaves what is written in the memory of the system, where all tests find it, for none cuts the power.

    A training waits longer for the disk, which others use too, than it takes by itself.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _shared_cache: Path) -> None:
    """Keeps what a test writes by default out of the project and of the user's own folders."""
    cache = tmp_path.with_name(f"{tmp_path.name}-cache")
    cache.mkdir()
    (cache / "kernels").symlink_to(_shared_cache / "kernels")
    monkeypatch.setenv("CNNLAB_CACHE", str(cache))
    monkeypatch.setenv("CNNLAB_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def data_dir(_apart: None, _shared_cache: Path) -> Path:
    """The folder of real data sets, decoded once for all tests; a test that needs it is skipped where there is none."""
    folder = os.environ.get("CNNLAB_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CNNLAB_DATA names no folder of data sets")
    for part in ("decoded", "fingerprints", "verified"):
        (_shared_cache / part).mkdir(exist_ok=True)
        (Path(os.environ["CNNLAB_CACHE"]) / part).symlink_to(_shared_cache / part)
    return Path(folder)


@pytest.fixture
def no_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of a report's time goes into the fonts of PDF files; tests that do not look at them leave them out.

    Every kind of figure is written to PDF by the test of its section.
    """
    monkeypatch.setattr("cnnlab.reports.report.pdf_of", lambda figure: b"")


@pytest.fixture
def assert_same_image() -> Callable[[Path, Path], None]:
    """Asserts that two files show the same, but for what another font or rounding makes of it."""

    def check(file: Path, expected: Path) -> None:
        actual, right = (np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) for path in (file, expected))
        assert actual.shape == right.shape
        difference = np.abs(actual - right).max(axis=2)
        # Of 255. A word that is missing is some hundreds of pixels.
        assert difference.mean() < 1 and (difference > 64).sum() < 100, difference.mean()

    return check


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=5, help="how often each mode of the kill test kills its process")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many times the kill test kills in each mode."""
    count: int = request.config.getoption("--kills")
    return count


@pytest.fixture(scope="session")
def _loaded_once(_shared_cache: Path) -> BaseContext:
    """Makes processes of one that has loaded PyTorch, in the environment that this has now."""
    import torch.multiprocessing

    context: BaseContext = torch.multiprocessing.get_context("forkserver")
    loaded = ["cnnlab.studies.execution.worker", "cnnlab.training.api", "torch.fx.experimental.symbolic_shapes"]
    context.set_forkserver_preload(loaded)
    forkserver.ensure_running()
    return context


@pytest.fixture
def forked_workers(_loaded_once: BaseContext, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], BaseContext]:
    """Has worker processes begin with PyTorch loaded, for which each needs seconds of the processor otherwise.

    What they do from then on is the same; that they begin as they should is tested without this.
    """

    import torch.multiprocessing

    def context(method: str) -> BaseContext:
        assert method == "spawn"
        return _loaded_once

    monkeypatch.setattr(torch.multiprocessing, "get_context", context)
    return context
