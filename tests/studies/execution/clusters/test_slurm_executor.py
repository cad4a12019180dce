"""Trainings as jobs, by submitit's processes of this machine in place of Slurm's."""

import json
import os
import signal
import time

import pytest
from small_studies import BASE

from cnnlab.core.errors import UsageError
from cnnlab.runs import Run
from cnnlab.studies import SlurmExecutor
from cnnlab.studies.execution.executor import EpochDone, Failed, Finished, Stopped, TrialRequest
from cnnlab.testing import executor_checks

pytest.importorskip("submitit")
pytestmark = pytest.mark.filterwarnings("ignore")
PATIENCE = 200.0


def ended(executor, number):
    told, deadline = [], time.monotonic() + PATIENCE
    while not told or not isinstance(told[-1], Finished | Failed | Stopped):
        assert time.monotonic() < deadline, told
        told += [event for event in executor.events(0.2) if event.number == number]
    return told


def as_jobs(runs):
    return SlurmExecutor(runs=runs, workers=1, system="local")


# All of them take a minute of the processor, since each job loads PyTorch: check_executor(as_jobs) tries them by hand.
JUDGED = [check for check in executor_checks(as_jobs) if "judged" in check.promise]


@pytest.mark.slow(8)
@pytest.mark.parametrize("check", JUDGED)
def test_trainings_as_jobs(check):
    check()


@pytest.mark.slow(8)
def test_a_job_whose_time_is_up_saves_and_its_training_goes_on_in_another(tmp_path):
    with SlurmExecutor(runs=tmp_path / "runs", workers=1, system="local") as executor:
        executor.submit(TrialRequest(0, {**BASE, "epochs": 500}))
        while not any(isinstance(event, EpochDone) for event in executor.events(0.2)):
            pass
        (job,) = executor._jobs
        first = job.job.job_id
        run = Run(next((tmp_path / "runs").glob("[!.]*/run.json")).parent)
        owner = int(json.loads((run.folder / ".owner.json").read_text())["pid"])
        os.kill(owner, signal.SIGUSR2)
        told = ended(executor, 0)
        assert isinstance(told[-1], Finished), told[-1]
    assert run.status == "finished"
    nodes = [node["node"].partition("/")[2] for node in run.info["nodes"]]
    assert nodes[0] == first != nodes[1] and len(nodes) == 2
    assert not list((tmp_path / "runs").glob(".creating-*"))


def test_without_slurm_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="there is no Slurm here: srun is not found"):
        SlurmExecutor(runs=tmp_path / "runs")
