"""Trainings on a Ray cluster of two nodes on this machine, one of which is killed."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ray_nodes import NODE, ray_cluster
from ray_victim import Counting, Killed, run_on
from small_studies import BASE, numbers, run_here, study_of

from cnnlab.runs import Run
from cnnlab.studies import RayExecutor, Study
from cnnlab.studies.execution.clusters import ray_executor
from cnnlab.studies.execution.executor import EpochDone, TrialRequest
from cnnlab.testing import check_executor

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow(25), pytest.mark.filterwarnings("ignore")]
# What a machine that is busy otherwise takes for what an idle one does in seconds.
PATIENCE = 200.0
EPOCHS, ENDLESS = 6, 99


@pytest.fixture(scope="module")
def nodes() -> Iterator[dict[str, object]]:
    """The node that this process is connected to, and another, with a core for each."""
    # So that it is soon noticed that one is gone.
    with ray_cluster(settings={"health_check_initial_delay_ms": 0, "health_check_period_ms": 300}) as made:
        yield {"here": made.head_node, "other": made.add_node(**NODE), "address": made.address}


def kill(node) -> None:
    """As where the power fails: all of its processes at once, the one first that might tell of the others."""
    (raylet,) = [process.process for process in node.all_processes["raylet"]]
    children = [int(pid) for pid in Path(f"/proc/{raylet.pid}/task/{raylet.pid}/children").read_text().split()]
    for pid in (raylet.pid, *children):
        os.kill(pid, signal.SIGKILL)
    # Not before it was waited for is it gone for those that look.
    raylet.wait()


class Killing(RayExecutor):
    """Kills the other node in the middle of a trial, after it had that node train on a disk of its own.

    All trials wait for a word after each epoch, so that the moment is the same wherever this runs.
    """

    other = None

    def submit(self, request):
        super().submit(replace(request, is_judged=True))

    def _start(self, node):
        whole = self._config
        if self.other.node_id == node.key:
            self._config = replace(whole, probe=self._runs / "not there")
        try:
            return super()._start(node)
        finally:
            self._config = whole

    def events(self, timeout):
        events = super().events(timeout)
        for event in events:
            if isinstance(event, EpochDone):
                self.answer(event.number, True)
                trained = Run(event.folder).info["nodes"]
                if self.other.any_processes_alive() and self._is_other(trained[-1]) and event.row["epoch"] == 3:
                    kill(self.other)
        return events

    def close(self):
        """Closed while it trains something else, without end."""
        if not self._is_closed:
            super().submit(TrialRequest(ENDLESS, {**BASE, "seed": ENDLESS, "epochs": 100_000}))
            deadline = time.monotonic() + PATIENCE
            while not any(isinstance(event, EpochDone) for event in super().events(0.2)):
                assert time.monotonic() < deadline
        super().close()

    def _is_other(self, node):
        return self.other.node_id.startswith(node["node"].partition("/")[2])


@pytest.mark.slow(15)
def test_workers_that_bring_runs_home_keep_what_every_executor_promises(nodes):
    check_executor(lambda runs: RayExecutor(runs=runs, workers=1, is_shared=False), patience=PATIENCE)


@pytest.mark.slow(10)
def test_a_study_that_is_killed_in_the_middle_of_a_trial_goes_on_from_what_came_home(nodes, tmp_path, forked_workers):
    content = study_of(base={**BASE, "epochs": EPOCHS, "checkpoint_seconds": 0})
    runs, address = tmp_path / "runs", nodes["address"]
    victim = forked_workers("spawn").Process(target=run_on, args=(Killed, content, runs, address))
    victim.start()
    victim.join(PATIENCE)
    assert victim.exitcode == -signal.SIGKILL
    assert sorted(Run(path.parent).status for path in runs.glob("[!.]*/run.json")) == ["finished", "unfinished"]
    rest = run_on(Counting, content, runs)
    assert numbers(rest) == numbers(run_here(Study(content, runs=tmp_path / "here")))
    trained = [tuple(line.split()) for line in (tmp_path / "trained").read_text().splitlines()]
    assert len(trained) == len(set(trained)) == 2 * EPOCHS
    assert [epoch for _, epoch in trained] == [str(epoch) for epoch in range(1, EPOCHS + 1)] * 2


def test_a_study_of_which_a_node_is_killed_in_the_middle_of_a_trial_gives_the_table_that_it_gives_here(
    nodes, tmp_path, monkeypatch
):
    monkeypatch.setattr(Killing, "other", nodes["other"])
    monkeypatch.setattr(ray_executor, "RayExecutor", Killing)
    content = study_of(base={**BASE, "epochs": EPOCHS, "checkpoint_seconds": 0})
    alone = Study(content, runs=tmp_path / "here")
    here = run_here(alone)
    study = Study(content, runs=tmp_path / "there")
    assert numbers(study.run(on="ray")) == numbers(here)

    first, second = sorted(study.runs().values(), key=lambda run: len(run.info["nodes"]))
    # One was trained by the node that is there still, in the folder of runs; the other went on there.
    (stayed,), (lost, found) = first.info["nodes"], second.info["nodes"]
    assert found["node"] == stayed["node"] != lost["node"]
    assert lost["step"] == 0 and 3 * 4 <= found["step"] < EPOCHS * 4
    timed = ["seconds", "images_per_second"]
    whole = next(run for run in alone.runs().values() if run.digest == second.digest)
    assert second.history.drop(columns=timed).equals(whole.history.drop(columns=timed))
    np.testing.assert_array_equal(*(run.predictions("test").outputs["label"] for run in (second, whole)))

    # What was under way as the study ended was saved, and can go on.
    (left,) = [Run(path.parent) for path in (tmp_path / "there").glob("[!.]*/checkpoint")]
    assert left.recipe["seed"] == ENDLESS and not left.is_running
    assert left.status == "unfinished" and left.epochs_done >= 1
