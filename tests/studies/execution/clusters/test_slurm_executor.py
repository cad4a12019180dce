"""Trainings as jobs of Slurm, by processes of this machine in their place."""

import os
import pickle
import shutil
import signal
import subprocess
import time
from contextlib import nullcontext, suppress
from types import SimpleNamespace

import pytest
from forked_jobs import ForkedJobs
from small_studies import BASE, numbers, run_here, study_of

from cnnlab.core.errors import CnnlabError, CnnlabWarning, UsageError
from cnnlab.runs import Run, environment
from cnnlab.studies import SlurmExecutor, Study, ThreadExecutor
from cnnlab.studies.execution.clusters import slurm_executor, slurm_job
from cnnlab.studies.execution.clusters.cluster_executor import ClusterRefusedError, ClusterSilentError
from cnnlab.studies.execution.clusters.shared_folder import SharingProbe
from cnnlab.studies.execution.clusters.slurm_states import JobState
from cnnlab.studies.execution.executor import EpochDone, Failed, Finished, Started, Stopped, TrialRequest
from cnnlab.testing import check_executor

submitit = pytest.importorskip("submitit")
pytestmark = pytest.mark.filterwarnings("ignore")
PATIENCE = 200.0


def heard_until(executor, kind):
    """All events up to those among which is one of a kind."""
    told, deadline = [], time.monotonic() + PATIENCE
    while not any(isinstance(event, kind) for event in told):
        assert time.monotonic() < deadline and not any(isinstance(event, Failed) for event in told), told
        told += executor.events(0.1)
    return told


def told_until(executor, kind):
    """The last event, which is the first of its kind."""
    told = heard_until(executor, kind)
    assert [isinstance(event, kind) for event in told].index(True) == len(told) - 1
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
        # Both may be told at once.
        *_, begun, done = heard_until(executor, EpochDone)
        assert isinstance(begun, Started) and (begun.epochs, done.row["epoch"]) == (5, 3)
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


@pytest.mark.slow(6)
def test_a_job_of_submitit_trains_a_trial_as_this_machine_does(tmp_path):
    recipe = {**BASE, "seed": 3}
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor:
        executor.submit(TrialRequest(0, recipe))
        there = Run(told_until(executor, Finished).folder)
    with ThreadExecutor(runs=tmp_path / "here") as executor:
        executor.submit(TrialRequest(0, recipe))
        here = Run(told_until(executor, Finished).folder)
    (node,) = there.info["nodes"]
    assert node["node"].startswith(f"{os.uname().nodename}/") and there.digest == here.digest
    timed = ["seconds", "images_per_second"]
    assert there.history.drop(columns=timed).equals(here.history.drop(columns=timed))


def test_a_job_that_ends_without_a_word_is_told_with_the_remedy(jobs, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "submit", lambda *unused: EndedJob())
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor:
        executor.submit(TrialRequest(0, BASE))
        (failed,) = executor.events(0)
    assert failed.kind == "crash" and "take a folder that all machines share (--runs)" in failed.reason
    assert "No such file or directory: '/scratch'" in failed.reason


@pytest.mark.parametrize(("node", "named"), [("n7", "the job 5 on n7 ended as FAILED"), ("", "the job 5 ended as")])
def test_a_job_that_ends_without_a_word_is_told_with_its_node(queued, node, named):
    executor, *_ = queued
    executor._states.state = JobState("FAILED", node=node)
    (failed,) = executor.events(0)
    assert failed.reason.startswith(named)


def test_ctrl_c_while_the_timing_waits_in_the_queue_takes_its_job_out_of_it(jobs, tmp_path, monkeypatch):
    job = WaitingJob()
    monkeypatch.setattr(jobs, "submit", lambda *unused: job)
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor, pytest.raises(KeyboardInterrupt):
        executor.pace(BASE, 1, 1)
    assert job.is_cancelled


class Telling:
    """In place of a queue: each job is over as it begins, and has told what ``answers`` say of its nodes."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def update_parameters(self, **asked):
        self.asked.append(asked.get("slurm_exclude"))

    def batch(self):
        return nullcontext()

    def submit(self, function, config, request, *rest):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        slurm_job._Told(config.told(rest[-1])).add(answer)
        return SimpleNamespace(job_id="5", state="COMPLETED", done=lambda: True, stderr=lambda: None)


REFUSAL = "sbatch: error: Batch job submission failed: Requested node configuration is not available"


def telling(monkeypatch, *answers):
    queue = Telling(list(answers))
    monkeypatch.setattr(submitit, "AutoExecutor", lambda folder, cluster: queue)
    return queue


@pytest.mark.filterwarnings("default")
def test_a_trial_whose_data_a_node_lacks_goes_to_another_and_fails_where_slurm_has_none(tmp_path, monkeypatch):
    lacks = [slurm_job.Lack(node, f"there are no pictures on {node}.") for node in ("n1", "n2")]
    done = Finished(1, tmp_path / "run")
    queue = telling(monkeypatch, *lacks, RuntimeError(REFUSAL), done)
    with SlurmExecutor(runs=tmp_path / "runs", options={"exclude": "n9"}, system="local") as executor:
        executor.submit(TrialRequest(0, {**BASE, "data": "pictures"}))
        for node in ("n1", "n2"):
            with pytest.warns(CnnlabWarning, match=rf"on {node} data of the study .* on {node}\. Bring it there"):
                assert not executor.events(0)
        (failed,) = executor.events(0)
        # What has nothing to do with that data may go to any node.
        executor.submit(TrialRequest(1, BASE))
        assert list(executor.events(0)) == [done]
    assert queue.asked == ["n9", "n9,n1", "n9,n1,n2", "n9"]
    assert (failed.number, failed.kind) == (0, "error")
    assert failed.reason == (
        "no node can load its data: on n1: there are no pictures on n1; on n2: there are no pictures on n2. "
        "Slurm has no other node for it: Requested node configuration is not available"
    )


@pytest.mark.filterwarnings("default")
def test_the_timing_of_steps_goes_to_a_node_that_has_the_data(tmp_path, monkeypatch):
    lack = slurm_job.Lack("n1", "there is no folder pictures.")
    queue = telling(monkeypatch, lack, "on n2/5: as was asked", lack, lack)
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor:
        with pytest.warns(CnnlabWarning, match="on n1 data"), pytest.raises(CnnlabError, match="on n2/5: as was asked"):
            executor.pace(BASE, 1, 1)
        # A node that goes by another name than Slurm's is not asked for ever.
        with pytest.raises(CnnlabError, match="no node can load its data: on n1: there is no folder pictures"):
            executor.pace(BASE, 1, 1)
    assert queue.asked[:2] == [None, "n1"]


def test_a_trial_that_finds_the_node_it_was_not_to_go_to_fails(tmp_path, monkeypatch):
    lack = slurm_job.Lack("n1", "there is no folder pictures.")
    telling(monkeypatch, lack, lack)
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor:
        executor.submit(TrialRequest(0, BASE))
        assert not executor.events(0)
        (failed,) = executor.events(0)
    assert failed.reason == "no node can load its data: on n1: there is no folder pictures"


def test_a_job_tells_by_the_name_that_slurm_has_for_it_that_its_node_lacks_the_data(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURMD_NODENAME", "n7")
    # They are set for the process of a job, which this is not.
    monkeypatch.setattr(slurm_job, "_become_a_node", lambda: monkeypatch.setenv("CNNLAB_NODE", "far/1"))
    monkeypatch.setattr(slurm_job, "_heed_the_end_of_time", lambda: None)
    probe = SharingProbe(tmp_path / "runs")
    config = slurm_job.JobConfig(tmp_path / "runs", probe.folder, tmp_path, True, environment())
    recipe = {**BASE, "data": str(tmp_path / "none")}
    slurm_job.carry_out(config, TrialRequest(0, recipe), "0-1")
    slurm_job.time_steps_of(config, recipe, 0.1, "pace-2")
    told = [slurm_job.heard_from(config.told(key), 0)[0] for key in ("0-1", "pace-2")]
    probe.close()
    assert [[lack.node for lack in each] for each in told] == [["n7"], ["n7"]]
    assert "there is no file or folder" in told[0][0].reason


@pytest.mark.parametrize(
    ("refusal", "words"), [(REFUSAL, "Requested node configuration is not available"), ("", "RuntimeError")]
)
def test_what_slurm_refuses_is_told_in_its_words_with_the_remedy(tmp_path, monkeypatch, refusal, words):
    telling(monkeypatch, RuntimeError(refusal), RuntimeError(refusal))
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor:
        with pytest.raises(ClusterRefusedError, match=f"Slurm takes no such job: {words}. .*--partition, --gres"):
            executor.pace(BASE, 1, 1)
        executor.submit(TrialRequest(0, BASE))
        with pytest.raises(ClusterRefusedError, match=words):
            executor.events(0)


def test_a_study_that_slurm_refuses_is_told_once_and_leaves_no_folder(tmp_path, monkeypatch):
    queue = telling(monkeypatch, RuntimeError(REFUSAL))
    monkeypatch.setattr(slurm_executor.shutil, "which", lambda program: program)
    with pytest.raises(ClusterRefusedError):
        Study(study_of(), runs=tmp_path / "a" / "runs").run(on="slurm")
    assert len(queue.asked) == 1 and not list(tmp_path.iterdir())


SILENT = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"


@pytest.mark.filterwarnings("default")
def test_a_controller_that_does_not_answer_is_told_as_that_and_fails_no_trial(tmp_path, monkeypatch):
    lack = slurm_job.Lack("n1", "there are no pictures.")
    telling(monkeypatch, RuntimeError(SILENT), lack, RuntimeError(SILENT))
    said = "^the controller of Slurm does not answer: Unable to contact .* Once sinfo answers, run the same again"
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor:
        with pytest.raises(ClusterSilentError, match=said):
            executor.pace(BASE, 1, 1)
        # Nor is it the nodes that are left which are missing.
        executor.submit(TrialRequest(0, BASE))
        with pytest.warns(CnnlabWarning, match="on n1 data"):
            executor.events(0)
        with pytest.raises(ClusterSilentError, match=said):
            executor.events(0)


def test_a_study_that_finds_no_controller_says_so_once_without_a_trial_s_name(tmp_path, monkeypatch):
    queue = telling(monkeypatch, RuntimeError(SILENT))
    monkeypatch.setattr(slurm_executor.shutil, "which", lambda program: program)
    with pytest.raises(ClusterSilentError, match=r"^the controller of Slurm"):
        Study(study_of(), runs=tmp_path / "a" / "runs").run(on="slurm")
    assert len(queue.asked) == 1 and not list(tmp_path.iterdir())


def test_an_option_that_sbatch_has_not_is_refused(tmp_path):
    with SlurmExecutor(runs=tmp_path / "runs", options={"partitoin": "gpu"}, system="local") as executor:
        executor.submit(TrialRequest(0, BASE))
        with pytest.raises(ClusterRefusedError, match="partitoin: not all of these are options of sbatch"):
            executor.events(0)


def test_a_short_time_leaves_most_of_it_to_train_in(jobs, tmp_path):
    for time_asked, minutes, before in ((1, 1, 15), ("4:00", 4, 60), ("10:00:00", 600, 90), (None, 240, 90)):
        with SlurmExecutor(runs=tmp_path / "runs", options={"time": time_asked}, system="local") as executor:
            executor._queue(())
        asked = (jobs.asked["timeout_min"], jobs.asked["slurm_signal_delay_s"])
        assert asked == (minutes, before) and "slurm_time" not in jobs.asked


class States:
    """What Slurm says, as is set here."""

    def __init__(self, *words):
        self.state = JobState(*words)

    def of(self, job):
        return self.state

    def look(self, jobs, *, soon=False):
        pass


@pytest.fixture
def queued(tmp_path, monkeypatch):
    """An executor with one job, which tells nothing by itself, and what that is."""
    queue = telling(monkeypatch, Started(0, 3), Started(0, 3))
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor:
        executor._states = States("RUNNING")
        executor.submit(TrialRequest(0, BASE))
        assert [type(event) for event in executor.events(0)] == [Started]
        yield executor, slurm_job._Told(executor._config.told("0-1")), queue
        executor._states.state = JobState("COMPLETED")


def test_a_job_that_a_person_cancelled_fails_its_trial_and_is_not_begun_again(queued):
    executor, told, queue = queued
    told.add(Stopped(0, None))
    assert not executor.events(0)
    executor._states.state = JobState("CANCELLED by 1000")
    (failed,) = executor.events(0)
    assert failed.kind == "error" and failed.reason.startswith("its job 5 was cancelled. Run the study again")
    assert len(queue.asked) == 1


@pytest.mark.parametrize("word", ["COMPLETED", "TIMEOUT", "PREEMPTED", "NODE_FAIL"])
def test_a_job_that_saved_and_was_ended_by_slurm_goes_on_in_another(queued, word):
    executor, told, queue = queued
    told.add(Stopped(0, None))
    executor._states.state = JobState(word)
    assert not executor.events(0)
    executor._states.state = JobState("RUNNING")
    assert [type(event) for event in executor.events(0)] == [Started] and len(queue.asked) == 2


def test_a_job_that_slurm_puts_back_into_its_queue_is_waited_for(queued, tmp_path):
    executor, told, queue = queued
    told.add(Stopped(0, None))
    for word in ("COMPLETING", "PENDING"):
        executor._states.state = JobState(word, "BeginTime")
        assert not executor.events(0)
    executor._states.state = JobState("RUNNING")
    told.add(Started(0, 3))
    told.add(Finished(0, tmp_path / "run"))
    assert [type(event) for event in executor.events(0)] == [Started, Finished] and len(queue.asked) == 1


@pytest.mark.parametrize(("word", "kind"), [("OUT_OF_MEMORY", "memory"), ("FAILED", "crash"), ("GONE", "crash")])
def test_a_job_that_was_killed_fails_by_its_kind(queued, word, kind):
    executor, *_ = queued
    executor._states.state = JobState(word)
    assert [(failed.kind, word in failed.reason) for failed in executor.events(0)] == [(kind, True)]


@pytest.mark.filterwarnings("default")
def test_a_job_that_waits_for_more_than_its_turn_is_told_of_once_a_reason(queued):
    executor, *_ = queued
    executor._states.state = JobState("PENDING", "Priority")
    assert not executor.events(0)
    executor._states.state = JobState("PENDING", "PartitionConfig")
    with pytest.warns(CnnlabWarning, match="the job 5 waits in the queue .* its reason PartitionConfig"):
        executor.events(0)
    assert not executor.events(0)


@pytest.mark.slow(3)
def test_a_judged_training_that_was_killed_and_begun_again_in_its_job_goes_by_new_answers(jobs, tmp_path):
    with SlurmExecutor(runs=tmp_path / "runs", system="local") as executor:
        executor._states = States("RUNNING")
        executor.submit(TrialRequest(0, {**BASE, "epochs": 5, "checkpoint_seconds": 0}, is_judged=True))
        told_until(executor, EpochDone)
        executor.answer(0, True)
        told_until(executor, EpochDone)
        (job,) = jobs.jobs
        job.process.kill()
        job.process.join()
        # Half a word was on its way.
        with executor._config.told("0-1").open("ab") as file:
            file.write(pickle.dumps(Started(0, 5))[:-3])
        assert not executor.events(0)
        job.begin()
        *_, begun, done = heard_until(executor, EpochDone)
        assert isinstance(begun, Started)
        # Not by the answer to the first epoch, which is there.
        assert not executor.events(0.6)
        executor.answer(0, False)
        run = Run(told_until(executor, Stopped).folder)
        executor._states.state = JobState("COMPLETED")
    assert run.epochs_done == done.row["epoch"] in (2, 3)


def test_a_job_that_is_begun_again_after_its_training_was_over_does_nothing(tmp_path):
    probe = SharingProbe(tmp_path / "runs")
    config = slurm_job.JobConfig(tmp_path / "runs", probe.folder, None, True, {})
    last = Finished(0, tmp_path / "run")
    slurm_job._Told(config.told("0-1")).add(last)
    slurm_job.carry_out(config, TrialRequest(0, BASE), "0-1")
    assert slurm_job.heard_from(config.told("0-1"), 0)[0] == [last]
    probe.close()


def test_a_judged_training_whose_study_was_killed_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_job, "_ALONE_SECONDS", 0.0)
    monkeypatch.setattr(slurm_job, "_LOOK_SECONDS", 0.001)
    probe = SharingProbe(tmp_path / "runs")
    config = slurm_job.JobConfig(tmp_path / "runs", probe.folder, None, True, {})
    slurm_job.write_answer(config, "0-1", 1, True)
    assert slurm_job._may_go_on(config, "0-1", 1)
    probe._lock.release()
    assert not slurm_job._may_go_on(config, "0-1", 2)
    probe.close()


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


def slurm_answers():
    """Whether a cluster of Slurm is there to be asked."""
    if not all(shutil.which(program) for program in ("sbatch", "srun", "squeue", "sinfo")):
        return False
    with suppress(subprocess.SubprocessError):
        idle = subprocess.run(["sinfo", "--noheader", "--states=idle"], capture_output=True, text=True, timeout=20)
        return bool(idle.stdout.strip())
    return False


@pytest.mark.slow(10)
def test_slurm_itself_carries_a_study_out_and_counts_its_jobs_as_completed(tmp_path):
    if not slurm_answers():
        pytest.skip("there is no Slurm with an idle node")
    study = Study(study_of(), runs=tmp_path / "runs")
    try:
        result = study.run(on="slurm")
    except UsageError as error:
        pytest.skip(str(error))
    assert numbers(result) == numbers(run_here(Study(study_of(), runs=tmp_path / "here")))
    nodes = [node["node"] for run in study.runs().values() for node in run.info["nodes"]]
    numbers_of_jobs = [node.partition("/")[2] for node in nodes]
    assert len(set(numbers_of_jobs)) == 2
    told = [
        subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True).stdout
        for job in numbers_of_jobs
    ]
    assert all("JobState=COMPLETED" in each or "JobState=COMPLETING" in each for each in told)
    assert {path.name for path in (tmp_path / "runs").glob(".creating*")} == set()
