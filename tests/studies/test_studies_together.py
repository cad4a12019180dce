"""One study run by several processes at once, and what keeps them from each other's way."""

import json
import platform
from pathlib import Path

import pytest
from small_studies import BASE, numbers, run_here, study_of
from study_partner import take_part

from cnnlab.core import file_systems, machine
from cnnlab.core.errors import RunBusyError
from cnnlab.runs import Run, environment, lock, versions
from cnnlab.studies import Study
from cnnlab.studies.merged_state import merged_state
from cnnlab.studies.record import StudyRecord

EPOCHS = 10
STUDY = study_of(base={**BASE, "epochs": EPOCHS}, repeats=3, ensemble={"method": "mean"})


@pytest.mark.slow(5)
def test_two_processes_train_each_trial_once_and_tell_the_same(runs, tmp_path, forked_workers):
    context = forked_workers("spawn")
    both = context.Barrier(2)
    partner = context.Process(target=take_part, args=(STUDY, runs, tmp_path / "0.json", both))
    partner.start()
    take_part(STUDY, runs, tmp_path / "1.json", both)
    partner.join()
    assert partner.exitcode == 0
    told = [json.loads((tmp_path / f"{n}.json").read_text()) for n in range(2)]
    trained = [epoch for each in told for epoch in each["epochs"]]
    assert len(trained) == len({tuple(epoch) for epoch in trained}) == 6 * EPOCHS
    assert told[0]["table"] == told[1]["table"] and not told[0]["missing"]
    folders = [path.parent for path in runs.glob("[!.]*/run.json")]
    assert len(folders) == 6 + 3 and all(Run(folder).status == "finished" for folder in folders)
    alone = run_here(Study(STUDY, runs=tmp_path / "alone"))
    assert numbers(Study(STUDY, runs=runs).result()) == numbers(alone)


def test_one_who_comes_later_joins_the_same_study_and_no_other(runs):
    first, same, other = (Study(study_of(repeats=n), runs=runs) for n in (2, 2, 3))
    assert first.record.hold(first.file) is False
    try:
        assert same.record.hold(same.file) is True
        with pytest.raises(RunBusyError, match="another process is running the study small"):
            other.record.hold(other.file)
    finally:
        first.record.release()
    # Who is left takes it over with the next thing that it writes.
    same.record.save()
    with pytest.raises(RunBusyError):
        other.record.hold(other.file)
    same.record.release()
    assert other.record.hold(other.file) is False
    other.record.release()


def test_where_locks_do_not_hold_another_machine_is_not_joined(runs, monkeypatch):
    study = Study(study_of(), runs=runs)
    study.folder.mkdir(parents=True)
    note = study.folder / ".owner.json"
    note.write_text(json.dumps({"pid": 7, "host": f"not-{platform.node()}", "since": "2026-01-01T00:00:00"}))
    bucket = str(runs.resolve())
    monkeypatch.setattr(file_systems, "_table", lambda: [("/", "ext4", []), (bucket, "fuse.gcsfuse", ["rw"])])
    with pytest.raises(RunBusyError, match=r"process 7 on not-.*locks are not known to hold .*remove .*\.owner\.json"):
        study.record.hold(study.file)
    monkeypatch.setattr(
        file_systems, "_table", lambda: [("/", "ext4", []), (bucket, "nfs4", ["rw", "local_lock=none"])]
    )
    study.record.hold(study.file)
    study.record.release()
    assert not note.exists()


def test_machines_that_start_at_once_where_locks_do_not_hold_are_not_both_at_work(runs, monkeypatch):
    bucket = str(runs.resolve())
    monkeypatch.setattr(file_systems, "_table", lambda: [("/", "ext4", []), (bucket, "fuse.gcsfuse", ["rw"])])
    study = Study(study_of(), runs=runs)
    sign = lock.RunLock.sign

    def sign_after_another(self, note, **facts):
        # Since the first look, one of the same name has looked as well, found nothing and signed.
        (self.folder / ".owner-other.json").write_text(json.dumps({**named, "boot": "another"}))
        sign(self, note, **facts)

    named = {"pid": 7, "host": platform.node(), "since": "2026-01-01T00:00:00"}
    monkeypatch.setattr(lock.RunLock, "sign", sign_after_another)
    with pytest.raises(RunBusyError, match=r"process 7 on .*remove .*\.owner-other\.json"):
        study.record.hold(study.file)
    # It takes back its own note and leaves the other's.
    assert [path.name for path in study.folder.glob(".owner*")] == [".owner-other.json"]
    monkeypatch.setattr(lock.RunLock, "sign", sign)
    (study.folder / ".owner-other.json").unlink()
    assert study.record.hold(study.file) is False
    other = Study(study_of(), runs=runs)
    # A process of the same machine joins; on another machine, of the same name, it does not.
    assert other.record.hold(other.file) is True
    monkeypatch.setattr(lock, "machine_facts", lambda: {"host": platform.node(), "boot": "another"})
    with pytest.raises(RunBusyError, match="locks are not known to hold"):
        other.record.hold(other.file)
    monkeypatch.undo()
    study.record.release()


def test_two_starts_of_one_machine_are_told_apart_and_processes_of_one_are_not(monkeypatch, tmp_path):
    ours = machine.machine_facts()
    assert ours == machine.machine_facts() and ours["host"] == platform.node()
    assert lock.is_of_this_machine({"pid": 1, **ours})
    assert lock.is_of_this_machine({"pid": 1, "host": platform.node()})
    boot = tmp_path / "boot_id"
    boot.write_text("c5a2c1c6-0b6b-4a0f-8a55-3d8f2f0e7a10\n")
    monkeypatch.setattr(machine, "_BOOT", boot)
    assert machine.machine_facts()["boot"] == "c5a2c1c6-0b6b-4a0f-8a55-3d8f2f0e7a10"
    assert not lock.is_of_this_machine({"pid": 1, **ours, "boot": "other"})
    monkeypatch.setattr(machine, "_BOOT", tmp_path / "missing")
    assert machine.machine_facts()["boot"] is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"torch": "1.0.0"},
            r"it has torch 1\.0\.0, and process \d+ on .* Install .*: pip install torch==",
        ),
        ({"code": "0" * 64}, "is not that of process .*though the version is the same"),
    ],
)
def test_another_program_does_not_join_those_at_work_and_goes_on_with_the_study_alone(change, why, runs, monkeypatch):
    first, other = (Study(study_of(), runs=runs) for _ in range(2))
    first.record.hold(first.file)
    facts = {**environment(), **change}
    monkeypatch.setattr(versions, "environment", lambda: facts)
    with pytest.raises(RunBusyError, match=f"another process is running .* cannot join it: .*{why}"):
        other.record.hold(other.file)
    first.record.release()
    # Now it is alone, and who has what it has may join it.
    assert other.record.hold(other.file) is False
    joined = Study(study_of(), runs=runs)
    assert joined.record.hold(joined.file) is True
    monkeypatch.undo()
    with pytest.raises(RunBusyError, match="cannot join it"):
        first.record.hold(first.file)
    other.record.release()


def test_what_an_older_cnnlab_is_at_is_not_joined(runs):
    first, other = (Study(study_of(), runs=runs) for _ in range(2))
    first.record.hold(first.file)
    note = first.folder / ".owner.json"
    note.write_text(json.dumps({"pid": 7, "host": platform.node(), "since": "2026-01-01T00:00:00"}))
    with pytest.raises(RunBusyError, match=r"process 7 on .* has an older cnnlab"):
        other.record.hold(other.file)
    first.record.release()


def test_failures_that_another_process_saw_are_taken_up_and_not_tried_again(runs):
    study = Study(study_of(), runs=runs)
    study.record.hold(study.file)
    other = StudyRecord(study.folder)
    other.hold(study.file)
    digest = study.trials.digest(study.study_settings.settings[0], 0)
    other.failures[digest] = {"kind": "nan", "reason": "the loss is no number", "run": None}
    other.save()
    study.record.refresh()
    assert study.record.failures[digest]["kind"] == "nan"
    study.record.release()


def test_states_are_put_together_by_what_either_changed():
    before = {"failures": {"a": 1, "b": 1}, "attempts": {"x": 1}, "wall_seconds": 5.0}
    ours = {"failures": {"b": 1, "c": 2}, "attempts": {"x": 2}, "wall_seconds": 9.0}
    theirs = {"failures": {"a": 1, "b": 1, "d": 3}, "attempts": {"x": 1, "y": 1}, "wall_seconds": 7.0}
    assert merged_state(before, ours, theirs) == {
        "failures": {"b": 1, "c": 2, "d": 3},
        "attempts": {"x": 2, "y": 1},
        "wall_seconds": 9.0,
    }


def test_who_settles_first_how_trials_are_carried_out_settles_it_for_all():
    ours = {"execution": {"threads": 2, "trials_at_once": 1}, "asked": {"precision": "auto"}}
    theirs = {"execution": {"threads": 1}, "asked": {"precision": "auto"}}
    assert merged_state({}, ours, theirs)["execution"] == {"threads": 1}
    asked_otherwise = {**theirs, "asked": {"precision": "float32"}}
    assert merged_state({}, ours, asked_otherwise)["execution"] == ours["execution"]


def test_locks_are_trusted_by_what_the_system_says_of_the_mount(monkeypatch):
    options = {
        ("nfs4", "vers=4.2", "local_lock=none"): True,
        ("nfs", "nolock"): False,
        ("nfs", "local_lock=all"): False,
        ("cifs", "nobrl"): False,
        ("cifs",): True,
        ("lustre",): False,
        ("lustre", "flock"): True,
        ("fuse.sshfs",): False,
        ("ext4",): True,
    }
    for (kind, *words), holds in options.items():
        monkeypatch.setattr(file_systems, "_table", lambda kind=kind, words=words: [("/", kind, words)])
        assert file_systems.locks_hold(Path("/somewhere")) is holds, (kind, words)
