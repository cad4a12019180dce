"""The page on mirrors: what it says to type works, and leaves what it says."""

import warnings
from pathlib import Path

import documents
import pytest

PAGE = "mirrors.md"
ELSEWHERE = ("pip install", "tensorboard --logdir", "mlflow ui")
"""Commands of other programs."""

pytest.importorskip("tensorboard")
pytest.importorskip("mlflow")


@pytest.mark.slow(6)
def test_commands_and_python_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CNNLAB_RUNS", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    text = documents.read(f"docs/{PAGE}")
    for command in documents.commands(text):
        if not command.startswith(ELSEWHERE):
            result = documents.call(command, {"data=digits": {"subset": "200", "precision": "float32", "threads": "1"}})
            assert result.exit_code == 0, f"{command}\n{result.output}"
    for code in documents.python_of(text):
        exec(compile(code, PAGE, "exec"), {})
    assert len(list((tmp_path / "runs").glob("digits-*/events.out.tfevents.*.cnnlab"))) == 3

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.tracking import MlflowClient

        client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    found = {name: client.get_experiment_by_name(name) for name in ("cnnlab", "small")}
    counts = {name: len(client.search_runs([each.experiment_id])) for name, each in found.items()}
    assert counts == {"cnnlab": 1, "small": 3}
