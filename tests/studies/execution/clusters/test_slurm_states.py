"""What is made of what Slurm says of jobs, with programs of Slurm's names in the place of its own."""

from types import SimpleNamespace

import pytest

from cnnlab.studies.execution.clusters import slurm_states
from cnnlab.studies.execution.clusters.slurm_states import JobState, SlurmStates


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Has a program of Slurm answer with these lines, or fail."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(slurm_states, "_ASK_SECONDS", 0.0)

    def answers(program, *lines, status=0):
        path = tmp_path / program
        path.write_text("#!/bin/sh\necho \"$@\" >> $0.asked\ncat <<'E'\n" + "\n".join(lines) + f"\nE\nexit {status}\n")
        path.chmod(0o755)
        return path.with_name(f"{program}.asked")

    return answers


def jobs(*names):
    return [SimpleNamespace(job_id=name) for name in names]


def states(found, asked):
    return [found.of(job).word for job in asked]


def test_jobs_are_what_squeue_says_and_those_it_knows_no_more_what_sacct_says(slurm):
    found, asked = SlurmStates(), jobs("7_0", "7_1", "8")
    queue = ("7_0|RUNNING|None", "7_1|PENDING|Resources", "8|COMPLETING|None", "6|TIMEOUT|TimeLimit")
    squeue, sacct = slurm("squeue", *queue), slurm("sacct", "8|CANCELLED by 1000", "7_0|TIMEOUT")
    found.look(asked)
    assert states(found, asked) == ["RUNNING", "PENDING", "COMPLETING"]
    assert "--array" in squeue.read_text() and "--states=all" in squeue.read_text()
    slurm("squeue", "7_1|RUNNING|None")
    # One that is just being put into the queue is not given up at the first look.
    found.look(asked)
    assert states(found, asked) == ["RUNNING", "RUNNING", "COMPLETING"] and not sacct.exists()
    found.look(asked)
    assert states(found, asked) == ["TIMEOUT", "RUNNING", "CANCELLED by 1000"]
    assert "--jobs=7_0,8" in sacct.read_text()


def test_without_accounts_a_job_that_is_known_no_more_is_gone(slurm):
    found, asked = SlurmStates(), jobs("8")
    slurm("squeue")
    slurm("sacct", "Slurm accounting storage is disabled", status=1)
    found.look(asked)
    found.look(asked)
    assert states(found, asked) == ["GONE"] and found.of(asked[0]).is_over


def test_the_node_of_a_job_is_known_also_where_slurm_knows_the_job_no_more(slurm):
    found, asked = SlurmStates(), jobs("7_0", "8", "9")
    squeue = slurm("squeue", "7_0|RUNNING|None|n7", "8|RUNNING|None|n8", "9|PENDING|Resources|")
    found.look(asked)
    assert [found.of(job).node for job in asked] == ["n7", "n8", ""]
    assert "%N" in squeue.read_text() and found.of(asked[2]).reason == "Resources"
    slurm("squeue")
    sacct = slurm("sacct", "8|FAILED|m8", "9|CANCELLED by 0|None assigned")
    for _ in range(2):
        found.look(asked)
    assert [(found.of(job).word, found.of(job).node) for job in asked] == [
        ("GONE", "n7"),
        ("FAILED", "m8"),
        ("CANCELLED by 0", ""),
    ]
    assert "NodeList" in sacct.read_text()


def test_a_controller_that_does_not_answer_ends_no_job(slurm):
    found, asked = SlurmStates(), jobs("8")
    slurm("squeue", status=1)
    for _ in range(4):
        found.look(asked)
    assert states(found, asked) == ["UNKNOWN"] and not found.of(asked[0]).is_over


def test_slurm_is_asked_every_ten_seconds_and_every_second_where_an_end_is_near(slurm, monkeypatch):
    monkeypatch.undo()
    moment, looks = [100.0], []
    monkeypatch.setattr(slurm_states.time, "monotonic", lambda: moment[0])
    monkeypatch.setattr(slurm_states, "_squeue", lambda: looks.append(moment[0]) or {})
    found = SlurmStates()
    for seconds, soon in ((0, False), (2, False), (2, True), (1, False), (9, False), (0.5, True)):
        moment[0] += seconds
        found.look([], soon=soon)
    assert looks == [100.0, 104.0, 114.0]


def test_states_by_what_they_mean():
    over = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED by 0", "OUT_OF_MEMORY", "PREEMPTED", "NODE_FAIL", "DEADLINE")
    assert all(JobState(word).is_over for word in over)
    under_way = ("PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD", "CONFIGURING", "UNKNOWN")
    assert not any(JobState(word).is_over for word in under_way)
    assert [JobState(word).has_left for word in ("RUNNING", "COMPLETING", "FAILED")] == [False, True, True]
    stuck = [
        JobState("PENDING", reason).is_stuck for reason in ("Priority", "Resources", "QOSNotAllowed", "BadConstraints")
    ]
    assert stuck == [False, False, True, True] and not JobState("RUNNING", "QOSNotAllowed").is_stuck
