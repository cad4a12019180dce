"""What the page on exporting says to type, typed once: the tests of exported files look at what it made."""

import contextlib
import functools
import gc
from collections.abc import Iterator
from pathlib import Path

import documents
import pytest

from cnnlab.runs import Run, RunStore

TRAINED = {"data=digits": {"model": "conv(8)|bn|relu|pool(2)", "batch_size": "32"}}


@pytest.fixture(scope="session", autouse=True)
def _operators_read_once() -> Iterator[None]:
    """PyTorch reads the source of each operator of ONNX's anew for each export, which takes half of a small one."""
    try:
        from torch.onnx._internal._lazy_import import onnxscript_apis

        read = functools.cache(onnxscript_apis.get_torchlib_ops)
    except (ImportError, AttributeError):
        # Another version, or no onnxscript.
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxscript_apis, "get_torchlib_ops", read)
        yield


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands of the page made, one after another."""
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch, _no_collection():
        patch.chdir(folder)
        patch.delenv("CNNLAB_RUNS", raising=False)
        for command in documents.commands(documents.read("docs/export.md")):
            if command.startswith("cnnlab "):
                result = documents.call(command, TRAINED)
                assert result.exit_code == 0, f"{command}\n{result.output}"
                assert " export " not in command or "checked" in result.stdout
    return folder


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """A block without garbage collection: to look through the many objects of a graph takes a third of an export."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.fixture(scope="session")
def run(page: Path) -> Run:
    """The run that the page exports."""
    found = RunStore(page / "runs").find("digits")
    assert isinstance(found, Run)
    return found
