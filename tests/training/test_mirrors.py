"""Mirrors of trainings, read back with the tools' own readers and compared with the record."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import cnnlab
from cnnlab.core.errors import CnnlabWarning, RunBusyError, StorageError, UsageError
from cnnlab.runs import Run, RunWriter
from cnnlab.runs.mirrors import Point, following, mirror_run, tensorboard_mirror
from cnnlab.runs.mirrors.recorded import RecordReader
from cnnlab.training import Interrupted, Recipe
from tests.training.conftest import TINY

pytest.importorskip("tensorboard")
pytest.importorskip("mlflow")
Train = Callable[..., Run]
BOTH = "tensorboard|mlflow"
TIMES = ("seconds", "images_per_second")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests, each of which has an experiment of its own: making its tables takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Where MLflow is first asked for a database, the files of its runs go from then on.
        patch.chdir(folder)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient

        MlflowClient(uri)
    return uri


@pytest.fixture
def client(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the database, whose default experiment is that of the test."""
    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", tmp_path.name)
    return MlflowClient()


def curves_of_events(run: Run) -> dict[str, list[tuple[int, float]]]:
    """Every point that stands in the event files of a run, also such as a viewer would drop."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    curves: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(run.folder.glob("*tfevents*")):
        for event in LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    curves.setdefault(value.tag, []).append((event.step, value.simple_value))
    return curves


def mirrored_run(client: Any, run: Run) -> Any:
    experiment = client.get_experiment_by_name(os.environ["MLFLOW_EXPERIMENT_NAME"])
    (found,) = client.search_runs([experiment.experiment_id], f"tags.`cnnlab.run` = '{run.name}'")
    return found


def curves_of_mlflow(client: Any, run: Run) -> dict[str, list[tuple[int, float]]]:
    found = mirrored_run(client, run)
    histories = {name: client.get_metric_history(found.info.run_id, name) for name in found.data.metrics}
    return {name: [(point.step, point.value) for point in history] for name, history in histories.items()}


def curves_of_record(run: Run) -> dict[str, list[tuple[int, float]]]:
    """What a mirror should have, by the names of MLflow."""
    history, curves = run.history, {}
    for name in history.columns:
        if name not in ("epoch", "step", "phase"):
            curves[name] = list(zip(history["epoch"].tolist(), history[name].tolist(), strict=True))
    for name in run.live[0].keys() - {"epoch", "step"}:
        curves[f"step_{name}"] = [(entry["step"], entry[name]) for entry in run.live]
    for name, value in run.scores("test").items():
        if name != "n":
            curves[f"test_{name}"] = [(run.info["selected"]["epoch"], value)]
    return curves


def tag(series: str) -> str:
    """The name in TensorBoard, worked out by hand of the few that there are."""
    for split in ("train", "validation", "test"):
        if series.startswith(f"{split}_"):
            return f"{series.removeprefix(f'{split}_')}/{split}"
    return series.replace("step_", "step/") if series.startswith("step_") else f"epoch/{series}"


def check_both(client: Any, run: Run) -> None:
    recorded = curves_of_record(run)
    assert {name: sorted(points) for name, points in curves_of_mlflow(client, run).items()} == recorded
    assert {name: list(map(pytest.approx, points)) for name, points in curves_of_events(run).items()} == {
        tag(name): points for name, points in recorded.items()
    }


@pytest.mark.slow(4)
def test_both_mirrors_have_the_numbers_of_the_record(client: Any, small_run: Train) -> None:
    run = small_run(mirror=BOTH)
    check_both(client, run)
    found = mirrored_run(client, run)
    assert (found.info.status, found.info.run_name) == ("FINISHED", run.name)
    assert found.data.params["optimizer.lr"] == "0.1" and found.data.params["batch_size"] == "40"
    assert found.data.tags["cnnlab.digest"] == run.digest and found.data.tags["cnnlab.status"] == "finished"
    assert json.loads(found.data.tags["cnnlab.classes"]) == list("0123456789")
    files = {file.path for file in client.list_artifacts(found.info.run_id)}
    assert files == {"recipe.yaml", "confusion.json", "confusion.png"}

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(run.folder)).Reload()
    texts = {name: read.Tensors(name)[0].tensor_proto.string_val[0].decode() for name in read.Tags()["tensors"]}
    assert run.digest in texts["run/text_summary"] and "finished" in texts["end/text_summary"]
    assert "optimizer: sgd(lr=0.1" in texts["recipe/text_summary"] and read.Tags()["images"] == ["confusion"]
    plugins = read.summary_metadata
    assert {"_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info"} <= plugins.keys()


def test_a_mirror_changes_neither_digest_nor_result(client: Any, small_run: Train, tmp_path: Path) -> None:
    without = small_run(runs=tmp_path / "without")
    run = small_run(mirror="tensorboard(steps=0)", runs=tmp_path / "with")
    assert run.digest == without.digest and run.recipe["mirror"] == "tensorboard(steps=0)"
    assert run.history.drop(columns=[*TIMES]).equals(without.history.drop(columns=[*TIMES]))
    assert (run.folder / "model.safetensors").read_bytes() == (without.folder / "model.safetensors").read_bytes()
    assert not any(name.startswith("step/") for name in curves_of_events(run))


@pytest.mark.slow(2)
def test_a_run_that_was_stopped_goes_on_in_the_same_mirror(
    client: Any, interrupted: Callable[..., tuple[Run, Interrupted]], small_run: Train
) -> None:
    run, _ = interrupted(after=5, mirror=BOTH)
    assert mirrored_run(client, run).info.status == "KILLED"
    assert len(curves_of_mlflow(client, run)["step_loss"]) == 5
    check_both(client, small_run(mirror=BOTH))
    assert mirrored_run(client, run).info.status == "FINISHED"


DYING = """
import os, signal, sys, time
from cnnlab.runs.mirrors import following
from cnnlab.training import train
from cnnlab.training.step import Stepper
following._BETWEEN = 0.01
taken, take = 0, Stepper.take
def dying(self, *arguments):
    global taken
    taken += 1
    if taken == 6:
        # What was done so far gets into the mirrors, and into no checkpoint since the end of the first epoch.
        time.sleep(1.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return take(self, *arguments)
Stepper.take = dying
train(%r, runs=sys.argv[1], offline=True)
"""


@pytest.mark.slow(8)
def test_after_a_kill_no_point_is_there_twice(client: Any, small_run: Train, tmp_path: Path) -> None:
    script = DYING % {**TINY, "mirror": BOTH}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "runs")], timeout=100)
    assert done.returncode == -signal.SIGKILL
    (folder,) = (tmp_path / "runs").glob("digits-*")
    # Step 5 is in both mirrors, and the run goes on from step 3.
    assert max(curves_of_mlflow(client, Run(folder))["step_loss"])[0] == 5
    assert max(curves_of_events(Run(folder))["step/loss"])[0] == 5
    check_both(client, small_run(mirror=BOTH))


def test_a_mirror_is_made_of_a_finished_record_and_made_again_without_harm(client: Any, small_run: Train) -> None:
    run = small_run()
    for _ in range(2):
        mirror_run(run, "mlflow")
        mirror_run(run, "tensorboard")
        check_both(client, run)
    # The recipe asked for with a mirror, which is trained already, is mirrored from its record.
    for path in run.folder.glob("*tfevents*"):
        path.unlink()
    assert small_run(mirror="tensorboard") == run and curves_of_events(run)


def test_a_run_that_is_trained_is_not_mirrored_from_outside(client: Any, small_run: Train) -> None:
    run = small_run()
    with RunWriter.open(run.folder), pytest.raises(RunBusyError, match="says mirror=tensorboard"):
        mirror_run(run, "tensorboard")


class Stub:
    """A tracking server that answers with an error, or not at all."""

    def __init__(self, answers: bool) -> None:
        self.asked, self.is_over = 0, threading.Event()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub.asked += 1
                if answers:
                    self.send_error(500, "out of order")
                else:
                    stub.is_over.wait()

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.is_over.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def stub(client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], Stub]]:
    stubs = []

    def make(answers: bool) -> Stub:
        stubs.append(Stub(answers))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", stubs[-1].uri)
        return stubs[-1]

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(following, "_unanswered", set())
    yield make
    for each in stubs:
        each.close()
    for thread in threading.enumerate():
        if thread.name.startswith("mirror-"):
            thread.join(10)


def test_a_server_out_of_order_costs_one_warning(stub: Callable[[bool], Stub], small_run: Train) -> None:
    server = stub(True)
    with pytest.warns(CnnlabWarning) as told:
        run = small_run(mirror="mlflow", epochs=3)
    (warning,) = told
    assert "is not mirrored in MLflow for now" in str(warning.message) and "500" in str(warning.message)
    assert f"cnnlab runs mirror {run.name} --to mlflow" in str(warning.message)
    assert run.status == "finished" and len(run.history) == 3 and len(run.live) == 9 and server.asked
    with pytest.raises(StorageError, match="cannot be mirrored in MLflow"):
        mirror_run(run, "mlflow")


def test_a_server_that_hangs_is_waited_for_once_and_not_for_long(
    stub: Callable[[bool], Stub], small_run: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(False)
    monkeypatch.setattr(following, "_PATIENCE", 0.6)
    monkeypatch.setattr(following, "_PATIENCE_AGAIN", 0.0)
    waited = []
    join = threading.Thread.join

    def timed(self: threading.Thread, timeout: float | None = None) -> None:
        if self.name == "mirror-mlflow":
            waited.append(timeout)
        join(self, timeout)

    monkeypatch.setattr(threading.Thread, "join", timed)
    for seed in (0, 1):
        began = time.monotonic()
        with pytest.warns(CnnlabWarning, match="has not answered in time"):
            run = small_run(mirror="mlflow", seed=seed)
        assert run.status == "finished" and time.monotonic() - began < 30
    assert waited == [0.6, 0.0]


def test_a_server_that_is_gone_is_told_of(client: Any, small_run: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.warns(CnnlabWarning, match="is not mirrored in MLflow"):
        assert small_run(mirror="mlflow").status == "finished"


def test_what_was_missed_is_there_once_the_mirror_works_again(
    client: Any, small_run: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, open_it = [], tensorboard_mirror.TensorBoardMirror.open

    def fails_at_first(self: Any, run: Run) -> Any:
        opened.append(run)
        if len(opened) == 1:
            raise OSError(28, "No space left on device")
        return open_it(self, run)

    monkeypatch.setattr(tensorboard_mirror.TensorBoardMirror, "open", fails_at_first)
    monkeypatch.setattr(following.Follower, "tell", lambda _: None)
    run = small_run(mirror="tensorboard")
    assert len(opened) >= 2 and len(curves_of_events(run)["loss/train"]) == 2


def test_a_full_disk_under_the_mirror_leaves_the_record_whole(
    client: Any, small_run: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch.utils.tensorboard

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch.utils.tensorboard.RecordWriter, "write", full)
    with pytest.warns(CnnlabWarning, match="not mirrored in TensorBoard for now: .*disk is full") as told:
        run = small_run(mirror="tensorboard")
    assert len(told) == 1 and run.status == "finished" and len(run.live) == 6


@pytest.mark.parametrize(
    ("name", "module"), [("tensorboard", "torch.utils.tensorboard"), ("mlflow", "mlflow.tracking")]
)
def test_a_missing_package_is_told_before_anything_is_trained(
    name: str, module: str, client: Any, small_run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"pip install 'cnnlab\[{name}\]'"):
        small_run(mirror=name)
    assert not list((tmp_path / "runs").glob("digits-*"))


def test_a_mirror_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="tensorboard"):
        Recipe.read(data="digits", mirror="tensorbord")
    with pytest.raises(UsageError, match="steps of mirror mlflow takes"):
        Recipe.read(data="digits", mirror="mlflow(steps=-1)")
    assert Recipe.read(data="digits", mirror="none").mirror is None
    assert "mirror" not in Recipe.read(data="digits").to_dict()


def test_a_log_that_is_cut_short_and_written_again_is_read_once(tmp_path: Path) -> None:
    lines = [json.dumps({"step": step, "epoch": 1, "loss": step / 8}) + "\n" for step in range(1, 9)]
    log, reader = tmp_path / "live.jsonl", RecordReader(tmp_path, every=2)
    log.write_text("".join(lines[:5]) + lines[5][:9])
    assert list(reader.new_points()) == [Point("step_loss", 2, 0.25), Point("step_loss", 4, 0.5)]
    log.write_text("".join(lines[:3]))
    assert list(reader.new_points()) == []
    log.write_text("".join(lines))
    assert list(reader.new_points()) == [Point("step_loss", 6, 0.75), Point("step_loss", 8, 1.0)]
    assert list(reader.new_points()) == []


def test_trials_of_a_study_are_mirrored_and_a_mirror_that_fails_is_told_of_once(
    client: Any, stub: Callable[[bool], Stub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnlab.studies.execution.thread_executor import ThreadExecutor

    study: dict[str, Any] = {"question": "Which rate is best?", "name": "rates", "repeats": 1}
    study |= {"base": {**TINY, "epochs": 1, "mirror": BOTH}, "vary": {"optimizer.lr": [0.1, 0.01]}}
    stub(True)
    made = cnnlab.Study(study, runs=tmp_path / "runs", offline=True)
    with pytest.warns(CnnlabWarning, match="cnnlab runs mirror rates") as told:
        made.run(executor=ThreadExecutor(runs=made.store.root, offline=True), progress=False)
    mirrors = [each for each in told if "mirror" in str(each.message)]
    assert len(mirrors) == 1 and "study=rates" in str(mirrors[0].message)
    runs = list(made.runs().values())
    assert len(runs) == 2 and all(len(curves_of_events(run)["loss/test"]) == 1 for run in runs)
