"""Run folders taken to another machine and brought home, at every moment at which they may be on the way."""

import os
import pickle
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_studies import BASE

from cnnlab import training
from cnnlab.core.errors import RunBusyError, RunNotFoundError, UsageError
from cnnlab.runs import Run, environment
from cnnlab.runs.lock import is_locked
from cnnlab.studies.execution.clusters import ray_worker, trial_on_node
from cnnlab.studies.execution.clusters.ray_worker import NodeConfig, TrialWorker
from cnnlab.studies.execution.clusters.run_transport import RunsAtHome, RunsAway, Shipment
from cnnlab.studies.execution.executor import EpochDone, Failed, Finished, Stopped, TrialRequest

RECIPE = {**BASE, "epochs": 6, "checkpoint_seconds": 0}


class Remote:
    """What a method of an actor is called by."""

    def __init__(self, function):
        self.remote = function


class Cluster:
    """A mailbox, in this process: the study hears each message at once."""

    def __init__(self, runs, request):
        self.home, self.told, self.shipments = RunsAtHome(runs, request.recipe), [], []
        self.put = Remote(self.hear)
        self.answered = Remote(lambda worker: (ray_worker.packed(True), [self.home.shipment()]))
        self.closed = Remote(threading.Event().wait)

    def hear(self, message, stored):
        _, word, content = ray_worker.unpacked(message)
        if word == "files":
            self.shipments.append(stored[0])
            self.home.take(stored[0])
        else:
            self.told.append(content)


def worker_of(cluster, runs, monkeypatch, name="far/1"):
    """A worker in this process."""
    # What lies in the object store is its own reference.
    monkeypatch.setattr(ray_worker, "_ray", lambda: SimpleNamespace(get=lambda value: value, put=lambda value: value))
    monkeypatch.setenv("CNNLAB_NODE", name)
    monkeypatch.setattr("warnings.simplefilter", lambda *words: None)
    return TrialWorker(0, name, NodeConfig(runs, None, None, False, environment()), cluster)


def train_away(runs, monkeypatch, *, recipe=RECIPE, stop=None, name="far/1"):
    """Trains on a machine that does not see the folder of runs; ``stop`` is called with each event."""
    request = TrialRequest(0, recipe)
    cluster = Cluster(runs, request)
    if stop is not None:
        whole = cluster.hear
        cluster.put = Remote(lambda message, stored: (whole(message, stored), stop(ray_worker.unpacked(message)[2]))[0])
    worker = worker_of(cluster, runs, monkeypatch, name)
    try:
        worker.train(request, None, [])
    finally:
        cluster.home.release()
    return cluster


def same(run: Run, other: Run) -> bool:
    ours, theirs = (each.predictions("test").outputs["label"] for each in (run, other))
    timed = ["seconds", "images_per_second"]
    return np.array_equal(ours, theirs) and run.history.drop(columns=timed).equals(other.history.drop(columns=timed))


def sent(away, **words):
    """The files of a shipment that is sent."""
    with away.sending(**words) as shipment:
        return shipment.files


class GoneError(Exception):
    """The machine is gone, between two words."""


def test_a_large_file_goes_home_as_an_array_whose_bytes_are_not_copied_into_the_pickle(runs, tmp_path):
    folder = tmp_path / "away" / "run-1"
    (folder / "checkpoint").mkdir(parents=True)
    content = np.arange(1 << 18, dtype=np.uint64).tobytes()
    for name, text in (
        ("run.json", b"{}"),
        ("recipe.yaml", b"data: digits"),
        ("checkpoint/state.safetensors", content),
    ):
        (folder / name).write_bytes(text)
    with RunsAway(tmp_path / "away").sending() as shipment:
        beside = []
        assert len(pickle.dumps(shipment, protocol=5, buffer_callback=beside.append)) < 5000
        assert [buffer.raw().nbytes for buffer in beside] == [len(content)]
    home = RunsAtHome(runs, RECIPE)
    home.take(shipment)
    home.release()
    assert (runs / "run-1" / "checkpoint" / "state.safetensors").read_bytes() == content


def test_a_training_elsewhere_comes_home_as_one_here_and_names_its_machine(runs, tmp_path, monkeypatch):
    cluster = train_away(runs, monkeypatch)
    assert isinstance(cluster.told[-1], Finished) and cluster.told[-1].folder.parent == runs
    run = Run(cluster.told[-1].folder)
    assert run.status == "finished" and not (run.folder / "checkpoint").exists() and not is_locked(run.folder)
    assert [node["node"] for node in run.info["nodes"]] == ["far/1"]
    monkeypatch.delenv("CNNLAB_NODE")
    alone = training.train(RECIPE, runs=tmp_path / "alone")
    assert same(run, alone) and "nodes" not in alone.info


def test_one_that_is_lost_goes_on_elsewhere_from_what_came_home(runs, tmp_path, monkeypatch):
    def gone(event):
        if isinstance(event, EpochDone) and event.row["epoch"] == 4:
            raise GoneError

    # Judged, so that each epoch is brought home before it is told.
    monkeypatch.setattr(RunsAway, "has_sent", lambda self, name: False)
    first = train_away(runs, monkeypatch, stop=gone)
    # The callback of the loop failed, as far as the machine could tell; what came home is what counts.
    left = Run(next(runs.glob("[!.]*")))
    assert left.epochs_done == 4 and first.shipments
    second = train_away(runs, monkeypatch, name="near/2")
    assert [event.row["epoch"] for event in second.told if isinstance(event, EpochDone)] == [5, 6]
    run = Run(second.told[-1].folder)
    assert [(node["node"], node["step"]) for node in run.info["nodes"]] == [("far/1", 0), ("near/2", 16)]
    monkeypatch.delenv("CNNLAB_NODE")
    assert same(run, training.train(RECIPE, runs=tmp_path / "alone"))


def test_every_part_of_a_shipment_leaves_a_run_that_goes_on_to_the_same_bits(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(RunsAway, "has_sent", lambda self, name: False)
    cluster = train_away(tmp_path / "first", monkeypatch)
    monkeypatch.delenv("CNNLAB_NODE")
    alone = training.train(RECIPE, runs=tmp_path / "alone")
    begun, third, fourth = cluster.shipments[0], *cluster.shipments[2:4]
    (name,) = third.files
    for cut in range(len(fourth.files[name]) + 1):
        home = RunsAtHome(tmp_path / f"cut-{cut}", RECIPE)
        home.take(begun)
        home.take(third)
        # The study is killed after so many files of the next one.
        home.take(Shipment({name: dict(list(fourth.files[name].items())[:cut])}))
        home.release()
        run = training.train(RECIPE, runs=tmp_path / f"cut-{cut}")
        assert run.name == name and same(run, alone), cut


def test_the_checkpoint_is_put_away_last_and_read_first(tmp_path):
    folder = tmp_path / "away" / "run-1"
    for path in ("recipe.yaml", "model.safetensors", "run.json", "checkpoint/state.safetensors", ".lock", ".x.part"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("{}")
    away = RunsAway(tmp_path / "away")
    assert away.is_due and not away.has_sent("run-1")
    assert list(sent(away)["run-1"])[-2:] == ["run.json", "checkpoint/state.safetensors"]
    assert not away.is_due and away.has_sent("run-1") and not sent(away)
    (folder / "model.safetensors").write_text("{ }")
    assert not away.is_due
    (folder / "checkpoint" / "state.safetensors").write_text("{ }")
    assert away.is_due
    assert list(sent(away, is_last=True)["run-1"]) == ["model.safetensors", "checkpoint/state.safetensors"]


def test_what_does_not_come_home_at_one_look_comes_with_the_next(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_worker, "_LOOK_SECONDS", 0.01)
    (tmp_path / "away" / "run-1").mkdir(parents=True)
    for path in ("recipe.yaml", "run.json"):
        (tmp_path / "away" / "run-1" / path).write_text("{}")
    tried, has_come = [], threading.Event()

    def put(word, content, stored):
        tried.append(stored[0])
        if len(tried) == 1:
            raise RuntimeError("the cluster was out of reach")
        has_come.set()

    worker = worker_of(Cluster(runs, TrialRequest(0, RECIPE)), runs, monkeypatch)
    monkeypatch.setattr(worker, "_put", put)
    with worker._bringing_home(RunsAway(tmp_path / "away")):
        assert has_come.wait(60)
    assert set(tried[0].files["run-1"]) == {"recipe.yaml", "run.json"} and tried[1] == tried[0]


def test_a_checkpoint_that_is_removed_while_one_looks_is_passed_over(tmp_path, monkeypatch):
    for path in ("run.json", "checkpoint/state.safetensors"):
        (tmp_path / "run-1" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run-1" / path).write_text("{}")
    whole, checkpoint = os.scandir, tmp_path / "run-1" / "checkpoint"

    def scandir(path):
        if str(path) == str(checkpoint):
            (checkpoint / "state.safetensors").unlink()
            checkpoint.rmdir()
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert set(sent(RunsAway(tmp_path))["run-1"]) == {"run.json"}


def test_a_request_that_comes_as_the_study_closes_is_not_begun(runs, monkeypatch):
    cluster = Cluster(runs, TrialRequest(0, RECIPE))
    cluster.closed = Remote(lambda: None)
    worker = worker_of(cluster, runs, monkeypatch)
    while not worker._is_closing:
        time.sleep(0.01)
    worker.train(TrialRequest(0, RECIPE), None, [])
    # That it is up, and nothing more.
    assert cluster.told == [None]


def test_a_node_that_cannot_load_the_data_says_so_and_not_that_the_trial_failed(runs, tmp_path, monkeypatch):
    cluster = train_away(runs, monkeypatch, recipe={**RECIPE, "data": f"folder({tmp_path / 'gone'})"})
    assert [type(each) for each in cluster.told] == [type(None), str]
    assert "there is no file or folder" in cluster.told[-1]


def test_a_run_that_another_process_trains_is_not_sent_out(runs, monkeypatch):
    left = training.train(RECIPE, runs=runs)
    holder = ray_worker.RunLock(left.folder)
    holder.acquire()
    try:
        with pytest.raises(RunBusyError):
            RunsAtHome(runs, RECIPE).shipment()
    finally:
        holder.release()


def test_a_run_that_another_process_began_meanwhile_is_left_to_it(runs, tmp_path, monkeypatch):
    cluster = train_away(tmp_path / "first", monkeypatch)
    monkeypatch.delenv("CNNLAB_NODE")
    training.train(RECIPE, runs=runs)
    with pytest.raises(RunBusyError, match="has begun the run"):
        RunsAtHome(runs, RECIPE).take(cluster.shipments[0])


def test_runs_that_a_recipe_begins_from_go_with_it(runs):
    parent = training.train(RECIPE, runs=runs)
    # A word that is in every recipe here, and names a run that none of them means.
    training.train({**RECIPE, "epochs": 1, "name": "mlp", "seed": 4}, runs=runs)
    model = f"efficientnet-lite0(weights=run:{parent.name})"
    for keys in ({"parent": parent.name}, {"weights": f"run:{parent.name}"}, {"model": model}):
        home = RunsAtHome(runs, {**RECIPE, **keys, "seed": 5})
        (shipped,) = home.shipment().files.items()
        assert shipped[0] == parent.name and "model.safetensors" in shipped[1]
        home.release()
    with pytest.raises(RunNotFoundError):
        RunsAtHome(runs, {**RECIPE, "weights": "run:gone", "seed": 5}).shipment()


def test_a_disk_of_the_node_that_cannot_be_written_is_the_nodes_fault(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("cnnlab.training.api.RunWriter.create", _full)
    cluster = train_away(runs, monkeypatch)
    assert "the disk is full" in cluster.told[-1]


def test_an_error_that_names_a_place_on_the_node_is_not_taken_for_a_fault_of_its_disk(runs, monkeypatch):
    def failing(root, **unused):
        raise UsageError(f"{root}/x asks for what there is not")

    monkeypatch.setattr("cnnlab.training.api.RunWriter.create", failing)
    (last,) = train_away(runs, monkeypatch).told[-1:]
    assert isinstance(last, Failed) and last.kind == "error" and last.reason.startswith("on far/1: ")


def test_what_a_mirror_has_to_tell_comes_home_with_the_end(runs, monkeypatch):
    def trained(request, *, runs, **unused):
        return Finished(request.number, runs / "run-1", ("run-1 is not mirrored for now",))

    monkeypatch.setattr(trial_on_node, "run_trial", trained)
    (last,) = train_away(runs, monkeypatch).told[-1:]
    assert last == Finished(0, runs / "run-1", ("run-1 is not mirrored for now",))


def _full(root: Path, **unused: object) -> None:
    from cnnlab.core.errors import StorageError

    raise StorageError(f"{root}/x could not be written: the disk is full. Free some space and go on.")


def test_a_training_that_is_stopped_comes_home_with_what_it_saved(runs, monkeypatch):

    def stop(event):
        if isinstance(event, EpochDone) and event.row["epoch"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    cluster = train_away(runs, monkeypatch, stop=stop)
    assert isinstance(cluster.told[-1], Stopped)
    assert Run(cluster.told[-1].folder).epochs_done == 2
    assert (cluster.told[-1].folder / "checkpoint" / "state.safetensors").exists()
