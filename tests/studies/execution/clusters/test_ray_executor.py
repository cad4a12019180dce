"""Trainings on a Ray cluster of two nodes on this machine, one of which is killed."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from small_studies import BASE, numbers, run_here, study_of

from cnnlab.runs import Run
from cnnlab.runs.environment import environment
from cnnlab.studies import RayExecutor, Study
from cnnlab.studies.execution.executor import Failed, Finished, Started, Stopped, TrialRequest
from cnnlab.testing import check_executor

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow(12), pytest.mark.filterwarnings("ignore")]
# What a machine that is busy otherwise takes for what an idle one does in seconds.
PATIENCE = 200.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    """A head without room for trials, and two nodes with room for one each."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",
            # A token would be written to the home folder.
            "RAY_AUTH_MODE": "disabled",
            "RAY_DEDUP_LOGS": "0",
        }.items():
            patch.setenv(name, value)
        import ray
        from ray.cluster_utils import Cluster

        quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}
        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": quick}
        made = Cluster(True, head_node_args=head)
        try:
            # Before there are others, which it might take for its own: it would go down with that.
            ray.init(made.address, log_to_driver=False, configure_logging=False)
            made.nodes = [made.add_node(num_cpus=1) for _ in range(2)]
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


def ended(executor, number):
    told, deadline = [], time.monotonic() + PATIENCE
    while not told or not isinstance(told[-1], Finished | Failed | Stopped):
        assert time.monotonic() < deadline, told
        told += [event for event in executor.events(0.2) if event.number == number]
    return told


def test_trainings_whose_runs_are_brought_home(cluster):
    check_executor(lambda runs: RayExecutor(runs=runs, workers=1, is_shared=False), patience=PATIENCE)


def test_a_study_on_ray_gives_the_table_that_it_gives_here(cluster, tmp_path):
    content = study_of(repeats=2)
    here = run_here(Study(content, runs=tmp_path / "here"))
    there = Study(content, runs=tmp_path / "there")
    assert numbers(there.run(on="ray")) == numbers(here)
    nodes = {run.info["nodes"][0]["node"] for run in there.runs().values()}
    # The folder of runs is seen from either, and both were at it.
    assert len(nodes) == 2


def test_a_trial_whose_node_is_killed_goes_on_elsewhere_to_the_same_bits(cluster, tmp_path):
    recipe = {**BASE, "epochs": 200, "checkpoint_seconds": 0.2}
    with RayExecutor(runs=tmp_path / "runs", workers=1, is_shared=False) as executor:
        executor.submit(TrialRequest(0, recipe))
        deadline, left = time.monotonic() + PATIENCE, None
        while left is None:
            assert time.monotonic() < deadline
            assert not any(isinstance(event, Finished | Failed) for event in executor.events(0.05))
            for checkpoint in (tmp_path / "runs").glob("[!.]*/checkpoint/state.safetensors"):
                left = Run(checkpoint.parents[1])
        assert left.is_running
        name = left.info["nodes"][0]["node"]
        (node,) = [each for each in cluster.nodes if each.node_id.startswith(name.partition("/")[2])]
        for process in node.all_processes["raylet"]:
            os.kill(process.process.pid, signal.SIGKILL)
        told = ended(executor, 0)
    assert isinstance(told[-1], Finished), told[-1]
    assert [event.epochs for event in told if isinstance(event, Started)] == [200]
    finished = Run(told[-1].folder)
    assert finished.folder == left.folder and not (left.folder / "checkpoint").exists()
    first, second = finished.info["nodes"]
    assert first["node"] == name != second["node"] and second["step"] > 0
    whole = Run(run_alone(recipe, tmp_path / "alone"))
    np.testing.assert_array_equal(*(run.predictions("test").outputs["label"] for run in (finished, whole)))
    assert finished.history.drop(columns=["seconds", "images_per_second"]).equals(
        whole.history.drop(columns=["seconds", "images_per_second"])
    )


def run_alone(recipe, runs: Path) -> Path:
    from cnnlab import training

    return training.train(recipe, runs=runs).folder


def test_a_node_of_another_version_is_left_out_and_said_so(cluster, tmp_path, monkeypatch):
    other = {**environment(), "torch": "1.0.0"}
    monkeypatch.setattr("cnnlab.studies.execution.clusters.ray_executor.environment", lambda: other)
    with RayExecutor(runs=tmp_path / "runs", workers=1) as executor:
        executor.submit(TrialRequest(0, BASE))
        with pytest.raises(
            Exception, match=r"on .*/.*: it has torch .*, and the study 1\.0\.0\. Install the same there"
        ):
            ended(executor, 0)
