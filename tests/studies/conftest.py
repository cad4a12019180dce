"""Fixtures of the tests of studies."""

from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path

import pytest
import torch.multiprocessing


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def _loaded_once(_shared_cache: Path) -> BaseContext:
    """Makes processes of one that has loaded PyTorch, in the environment that this has now."""
    context = torch.multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cnnlab.studies.execution.worker", "cnnlab.training.api"])
    forkserver.ensure_running()
    return context


@pytest.fixture
def forked_workers(_loaded_once: BaseContext, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], BaseContext]:
    """Has worker processes begin with PyTorch loaded, for which each needs seconds of the processor otherwise.

    What they do from then on is the same; that they begin as they should is tested without this.
    """

    def context(method: str) -> BaseContext:
        assert method == "spawn"
        return _loaded_once

    monkeypatch.setattr(torch.multiprocessing, "get_context", context)
    return context
