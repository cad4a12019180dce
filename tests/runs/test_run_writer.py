import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from cnnlab.core import yaml
from cnnlab.core.errors import RunBusyError, RunNotFoundError, UsageError
from cnnlab.runs import Predictions, Run, RunStore, RunWriter, lock, record
from cnnlab.runs.lock import is_locked
from cnnlab.runs.step_log import StepLog

MakeRun = Callable[..., Path]
DIGEST = "0123456789abcdef" * 4


def create(root: Path, **changes: object) -> RunWriter:
    facts: dict[str, object] = {"digest": DIGEST, "recipe": {"data": "digits"}, "name": "digits"}
    return RunWriter.create(root, **(facts | changes))  # type: ignore[arg-type]


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process of its own that has printed ``ready``; killed at the end, if it still lives.

    Its standard input stays open until then.
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    child = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], **pipes, text=True)
    try:
        assert child.stdout is not None and child.stdout.readline() == "ready\n", child.communicate()[1]
        yield child
    finally:
        child.kill()
        child.communicate()


OWNER = """
import os, sys
from cnnlab.runs import RunWriter
writer = RunWriter.open(sys.argv[1])
print("ready", flush=True)
os.read(0, 1)
"""


def test_folder_is_named_for_run_digest_and_repeat(root: Path) -> None:
    names = []
    for repeat in (1, 2, 3):
        with create(root, repeat=repeat) as writer:
            names.append(writer.folder.name)
    assert names == ["digits-01234567", "digits-01234567-2", "digits-01234567-3"]
    assert sorted(os.listdir(root)) == names
    assert Run(root / names[2]).repeat == 3


def test_new_run_is_described_by_two_readable_files(root: Path) -> None:
    recipe = {"model": "convnet", "data": "digits", "rate": 1e-5, "phases": [{"epochs": 1}]}
    with create(root, recipe=recipe, info={"execution": {"device": "cpu"}, "epochs": 5}) as writer:
        assert yaml.load((writer.folder / "recipe.yaml").read_text(), "recipe") == recipe
        info = json.loads((writer.folder / "run.json").read_text())
    assert info["status"] == "unfinished" and info["digest"] == DIGEST and info["name"] == writer.folder.name
    assert info["execution"] == {"device": "cpu"} and info["epochs"] == 5 and info["epochs_done"] == 0
    assert info["started"] == info["updated"] and info["started"].endswith("+00:00")


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "-x", "a\nb", " a", "x" * 121, "a\0b", "last", "a*"])
def test_name_that_cannot_be_a_folder_is_refused_and_nothing_written(root: Path, name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        create(root, name=name)
    assert not root.exists()


def test_run_that_lies_there_is_not_overwritten(root: Path) -> None:
    with (
        create(root) as writer,
        pytest.raises(RunBusyError, match=r"another process has just started the run digits-0"),
    ):
        create(root)
    with pytest.raises(UsageError, match="exists already"):
        create(root)
    assert [path.name for path in root.iterdir()] == [writer.folder.name]


def test_updates_are_merged_and_other_facts_stay(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock of the machine may be set back meanwhile.
    times = (f"2026-01-01T00:00:{second:02}.000000+00:00" for second in range(60))
    monkeypatch.setattr(record, "now", lambda: next(times))
    with create(root, info={"data": {"name": "digits"}}) as writer:
        writer.update(epochs_done=1, scores={"train": {"accuracy": np.float32(0.5)}})
        writer.update(scores={"test": {"accuracy": 0.25}}, data={"digest": "d"})
        info = Run(writer.folder).info
        assert info["scores"] == {"train": {"accuracy": 0.5}, "test": {"accuracy": 0.25}}
        assert info["data"] == {"name": "digits", "digest": "d"} and info["epochs_done"] == 1
        assert info["updated"] > info["started"] and writer.info == info


def test_finished_and_failed_are_recorded(root: Path) -> None:
    with create(root) as writer:
        writer.fail("the loss is not a number", epochs_done=2)
        run = Run(writer.folder)
        assert (run.status, run.info["reason"], run.epochs_done) == ("failed", "the loss is not a number", 2)
    assert "failed: the loss is not a number" in str(run)
    with RunWriter.open(writer.folder) as writer:
        assert run.status == "unfinished" and run.info["reason"] is None
        writer.finish({"test": {"n": 2, "accuracy": 1.0}}, seconds=3.5)
    assert run.status == "finished" and run.test.accuracy == 1.0 and run.seconds == 3.5 and run.info["finished"]


def test_a_status_that_does_not_exist_is_refused(root: Path) -> None:
    with create(root) as writer, pytest.raises(ValueError, match="status"):
        writer.update(status="done")


def test_a_warning_is_kept_once(root: Path) -> None:
    with create(root) as writer:
        for text in ("one", "two", "one"):
            writer.warning(text)
        assert Run(writer.folder).info["warnings"] == ["one", "two"]


def test_live_records_are_seen_at_once_and_cut_for_a_resumed_run(root: Path) -> None:
    with create(root) as writer:
        for step in range(1, 6):
            writer.live({"step": step, "loss": np.float32(0.5) / step})
            assert Run(writer.folder).live[-1]["step"] == step
        writer.truncate_live(4)
        writer.live({"step": 4, "loss": float("nan")})
        assert [record["step"] for record in Run(writer.folder).live] == [1, 2, 3, 4]
        assert Run(writer.folder).live[-1]["loss"] is None


def test_live_line_cut_short_by_a_kill_is_dropped(root: Path) -> None:
    with create(root) as writer:
        writer.live({"step": 1})
        with (writer.folder / "live.jsonl").open("ab") as file:
            file.write(b'{"step": 2, "lo')
        assert Run(writer.folder).live == [{"step": 1}]
    with RunWriter.open(writer.folder) as writer:
        writer.live({"step": 2})
        assert (writer.folder / "live.jsonl").read_text() == '{"step":1}\n{"step":2}\n'


def test_cutting_a_log_that_is_not_there_makes_none(root: Path) -> None:
    with create(root) as writer:
        writer.truncate_live(0)
        assert not (writer.folder / "live.jsonl").exists()


def test_closed_writer_writes_no_more(root: Path) -> None:
    with create(root) as writer:
        pass
    writer.close()
    prediction = Predictions({"label": np.eye(1)}, {}, ["0"], "classes()", {}, "d", "test")
    for attempt in (
        lambda: writer.update(step=1),
        lambda: writer.live({"step": 1}),
        lambda: writer.history([]),
        lambda: writer.predictions(prediction),
        lambda: writer.truncate_live(0),
    ):
        with pytest.raises(ValueError, match="closed"):
            attempt()
    assert "closed" in repr(writer)


def test_second_process_is_refused_and_told_who_holds_the_run(make_run: MakeRun) -> None:
    folder = make_run(finish=False)
    with process(OWNER, folder) as child:
        assert Run(folder).is_running
        with pytest.raises(RunBusyError, match=rf"being worked on by process {child.pid} on .* \(since 20") as caught:
            RunWriter.open(folder)
        assert "\n" not in str(caught.value)


def test_second_writer_in_the_same_process_is_refused(root: Path) -> None:
    with create(root) as writer, pytest.raises(RunBusyError, match=f"process {os.getpid()}"):
        RunWriter.open(writer.folder)


def test_lock_dies_with_its_owner_killed(make_run: MakeRun) -> None:
    folder = make_run(finish=False)
    with process(OWNER, folder) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not Run(folder).is_running
    with RunWriter.open(folder) as writer:
        writer.update(step=1)


def test_run_is_running_only_while_a_writer_holds_it(root: Path) -> None:
    writer = create(root)
    assert is_locked(writer.folder)
    writer.close()
    assert not is_locked(writer.folder)
    assert not (writer.folder / ".owner.json").exists()


def test_readers_that_probe_all_the_time_keep_no_writer_from_starting(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(finish=False)
    # Four that do nothing else are more than there ever are, and the machine may be busy besides.
    monkeypatch.setattr(lock, "_PATIENCE", 30.0)
    stop = threading.Event()

    def probe() -> None:
        while not stop.is_set():
            is_locked(folder)

    readers = [threading.Thread(target=probe) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(20):
            RunWriter.open(folder).close()
    finally:
        stop.set()
        for reader in readers:
            reader.join()


def test_two_processes_starting_one_run_make_one(root: Path) -> None:
    code = """
import sys
from cnnlab.runs import RunWriter
from cnnlab.core.errors import CnnlabError
print("ready", flush=True)
sys.stdin.readline()
made = 0
for number in range(40):
    try:
        writer = RunWriter.create(sys.argv[1], digest=f"{number:08}", recipe={"seed": number}, name="race")
    except CnnlabError:
        continue
    made += 1
print(made, flush=True)
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    outputs = [child.stdin and (child.stdin.write("\n"), child.stdin.flush()) for child in children]
    made = [int(child.communicate()[0]) for child in children]
    assert len(outputs) == 2 and sum(made) == 40
    assert sorted(path.name for path in root.iterdir()) == [f"race-{number:08}" for number in range(40)]


def test_run_deleted_while_one_waits_for_it_is_named(make_run: MakeRun) -> None:
    folder = make_run()
    with pytest.raises(RunNotFoundError, match="is not a run"):
        RunWriter.open(folder.parent / "missing")
    RunStore(folder.parent).delete(folder.name)
    with pytest.raises(RunNotFoundError):
        RunWriter.open(folder)
    assert list(folder.parent.glob("[!.]*")) == []


MAKER = """
import sys
from cnnlab.runs import RunStore, RunWriter
print("ready", flush=True)
number = 0
while True:
    with RunWriter.create(sys.argv[1], digest=f"{number:08}", recipe={"seed": number}, name="made") as writer:
        for part in range(20):
            writer.path(f"part-{part}").write_bytes(b"x")
    if number % 2:
        RunStore(sys.argv[1]).delete(writer.folder.name)
    if number % 4 == 3:
        RunStore(sys.argv[1]).purge()
    number += 1
"""


@pytest.mark.parametrize("delay", [0.05, 0.11, 0.17, 0.23, 0.31])
def test_kill_while_making_and_deleting_leaves_whole_runs_only(root: Path, delay: float) -> None:
    root.mkdir()
    with process(MAKER, root) as child:
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
    for folder in root.glob("[!.]*"):
        run = Run(folder)
        assert run.recipe == {"seed": int(run.digest)} and not run.is_running
    for leftover in root.glob(".creating-*"):
        os.utime(leftover, (0, 0))
    store = RunStore(root)
    assert all(summary.status == "unfinished" for summary in store.list())
    assert list(root.glob(".creating-*")) + list(root.glob(".purged-*")) == []


def test_run_being_made_is_not_cleared_away(root: Path) -> None:
    half_made = root / ".creating-1-abcd"
    half_made.mkdir(parents=True)
    RunStore(root).list()
    assert half_made.exists()


def test_run_that_another_made_first_is_left_as_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_recipe = record.write_recipe

    def overtaken(folder: Path, recipe: dict[str, object]) -> None:
        monkeypatch.setattr(record, "write_recipe", write_recipe)
        create(root, recipe={"seed": 7}).close()
        write_recipe(folder, recipe)

    monkeypatch.setattr(record, "write_recipe", overtaken)
    with pytest.raises(UsageError, match="exists already"):
        create(root, recipe={"seed": 8})
    assert [path.name for path in root.iterdir()] == ["digits-01234567"]
    assert Run(root / "digits-01234567").recipe == {"seed": 7}


def test_forked_child_does_not_keep_the_lock_of_a_killed_owner(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(finish=False)
    # The forked child may take a while to come to its first line, but lives until the process's input is closed.
    monkeypatch.setattr(lock, "_PATIENCE", 30.0)
    code = OWNER.replace('print("ready"', 'if os.fork() == 0:\n    os.read(0, 1)\n    os._exit(0)\nprint("ready"')
    with process(code, folder) as child:
        assert Run(folder).is_running
        child.send_signal(signal.SIGKILL)
        child.wait()
        RunWriter.open(folder).close()


@pytest.mark.parametrize(
    "act", [lambda log: log.append({"step": 1}), lambda log: log.truncate(), lambda log: log.truncate(3)]
)
def test_a_link_in_the_place_of_the_log_is_not_written_through(tmp_path: Path, act: Callable[[StepLog], None]) -> None:
    kept = tmp_path / "thesis.txt"
    kept.write_text("three years of work")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "live.jsonl").symlink_to(kept)
    log = StepLog(tmp_path / "run")
    act(log)
    log.close()
    assert kept.read_text() == "three years of work" and not (tmp_path / "run" / "live.jsonl").is_symlink()
