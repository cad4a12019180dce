"""The page on several devices: what it says to type works, with processes that begin as they do for anybody."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import documents
import pytest

from cnnlab.runs import RunStore

PAGE = "devices.md"
SMALL = {"data=digits": {"subset": "100", "model": "cnn(filters=[4])", "precision": "float32", "kernels": "torch"}}


@pytest.mark.slow(8)
def test_commands_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")
    train, *others = [line for line in documents.commands(documents.read(f"docs/{PAGE}")) if line.startswith("cnnlab ")]
    result = documents.call(train, SMALL)
    assert result.exit_code == 0, result.output
    assert "starting 2 processes" in result.stderr
    # As one types it, however the others are told of it.
    assert f"{Path('runs', 'digits-')}" in result.stdout and str(tmp_path) not in result.stdout
    (run,) = RunStore("runs").list()
    assert run.status == "finished" and run.info["execution"]["devices"] == 2
    assert others == ["cnnlab resume RUN", "cnnlab resume RUN --devices 1"]
    for command in others:
        result = documents.call(command.replace("RUN", run.name), SMALL)
        assert result.exit_code == 0 and "is finished already" in result.stderr


@pytest.mark.slow(12)
def test_torchrun_trains_as_the_page_types_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CNNLAB_RUNS")
    lines = [line for block in documents.blocks(documents.read(f"docs/{PAGE}")) for line in block.text.splitlines()]
    command = next(line for line in lines if line.startswith("torchrun ") and " -m cnnlab " in line)
    words = documents.cut(shlex.split(command)[1:], SMALL)
    # One thread each, and a free port in the place of torchrun's own, which another test may hold.
    variables = os.environ | {"OMP_NUM_THREADS": "1", "PET_STANDALONE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *words],
        cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = RunStore(tmp_path / "runs").list()
    assert run.status == "finished" and run.info["execution"]["devices"] == 2
    assert run.name in done.stdout
