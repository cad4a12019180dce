"""Trainings as jobs of Slurm, by processes of this machine in their place."""

import os
import signal
import time

import pytest
from forked_jobs import ForkedJobs
from small_studies import BASE

from cnnlab.core.errors import UsageError
from cnnlab.runs import Run, environment
from cnnlab.studies import SlurmExecutor
from cnnlab.studies.execution.clusters import slurm_executor
from cnnlab.studies.execution.executor import EpochDone, Failed, Started, Stopped, TrialRequest
from cnnlab.testing import check_executor

submitit = pytest.importorskip("submitit")
pytestmark = pytest.mark.filterwarnings("ignore")
PATIENCE = 200.0


def told_until(executor, kind):
    """The last event, which is the first of its kind."""
    told, deadline = [], time.monotonic() + PATIENCE
    while not any(isinstance(event, kind) for event in told):
        assert time.monotonic() < deadline and not any(isinstance(event, Failed) for event in told), told
        told += executor.events(0.1)
    assert isinstance(told[-1], kind)
    return told[-1]


@pytest.fixture
def jobs(forked_workers, monkeypatch):
    """In place of Slurm's."""
    queue = ForkedJobs(forked_workers("spawn"))
    monkeypatch.setattr(submitit, "AutoExecutor", lambda folder, cluster: queue)
    return queue


@pytest.mark.slow(10)
def test_jobs_keep_what_every_executor_promises(jobs):
    check_executor(lambda runs: SlurmExecutor(runs=runs, workers=2, system="local"), patience=PATIENCE)


@pytest.mark.slow(3)
def test_a_judged_training_whose_time_is_up_goes_on_in_another_job_and_waits_for_new_words(jobs, tmp_path):
    options = {"partition": "gpu", "gres": "gpu:1", "time": 30}
    with SlurmExecutor(runs=tmp_path / "runs", workers=2, options=options, system="local") as executor:
        executor.submit(TrialRequest(0, {**BASE, "epochs": 5, "checkpoint_seconds": 0}, is_judged=True))
        told_until(executor, EpochDone)
        executor.answer(0, True)
        run = Run(told_until(executor, EpochDone).folder)
        # By this Slurm says that the time is nearly up.
        os.kill(jobs.jobs[0].process.pid, signal.SIGUSR2)
        executor.answer(0, True)
        assert told_until(executor, Started).epochs == 5
        assert told_until(executor, EpochDone).row["epoch"] == 3
        # What the first job was told is no word to the second.
        assert not executor.events(0.6)
        executor.answer(0, True)
        assert told_until(executor, EpochDone).row["epoch"] == 4
        executor.answer(0, False)
        assert told_until(executor, Stopped).folder == run.folder
    assert [node["node"].partition("/")[2] for node in run.info["nodes"]] == ["1", "2"]
    assert run.epochs_done == 4 and not list((tmp_path / "runs").glob(".creating-*"))
    asked = {key: jobs.asked[key] for key in ("slurm_partition", "slurm_gres", "timeout_min", "cpus_per_task")}
    assert asked == {"slurm_partition": "gpu", "slurm_gres": "gpu:1", "timeout_min": 30, "cpus_per_task": 1}


@pytest.mark.slow(2)
def test_a_job_of_submitit_says_where_it_was_and_what_that_machine_lacks(tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_executor, "environment", lambda: {**environment(), "torch": "1.0.0"})
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor:
        executor.submit(TrialRequest(0, BASE))
        deadline, told = time.monotonic() + PATIENCE, []
        while not told:
            assert time.monotonic() < deadline
            told = list(executor.events(0.2))
        (failed,) = told
    assert failed.kind == "error" and "it has torch" in failed.reason and "pip install torch==1.0.0" in failed.reason
    assert failed.reason.startswith(f"on {os.uname().nodename}/")


def test_a_job_that_ends_without_a_word_is_told_with_the_remedy(jobs, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "submit", lambda *unused: EndedJob())
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor:
        executor.submit(TrialRequest(0, BASE))
        (failed,) = executor.events(0)
    assert failed.kind == "crash" and "take a folder that all machines share (--runs)" in failed.reason
    assert "No such file or directory: '/scratch'" in failed.reason


def test_ctrl_c_while_the_timing_waits_in_the_queue_takes_its_job_out_of_it(jobs, tmp_path, monkeypatch):
    job = WaitingJob()
    monkeypatch.setattr(jobs, "submit", lambda *unused: job)
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor:
        with pytest.raises(KeyboardInterrupt):
            executor.pace(BASE, 1, 1)
        assert job.is_cancelled


class WaitingJob:
    """At whose second look somebody types Ctrl-C."""

    job_id, looks, is_cancelled = "8", 0, False

    def done(self):
        self.looks += 1
        if self.looks == 2:
            raise KeyboardInterrupt
        return False

    def cancel(self):
        self.is_cancelled = True


class EndedJob:
    job_id, state = "7", "FAILED"

    def done(self):
        return True

    def stderr(self):
        return "Traceback\nFileNotFoundError: No such file or directory: '/scratch'\n"


def test_a_training_on_several_devices_is_refused(jobs, tmp_path):
    with (
        SlurmExecutor(runs=tmp_path / "runs", system="local") as executor,
        pytest.raises(UsageError, match="devices=2 divides one training"),
    ):
        executor.submit(TrialRequest(0, {**BASE, "devices": 2}))


def test_without_slurm_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="there is no Slurm here: srun is not found"):
        SlurmExecutor(runs=tmp_path / "runs")
