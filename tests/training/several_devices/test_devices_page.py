"""The page on several devices: what it says to type works, with processes that begin as they do for anybody."""

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
