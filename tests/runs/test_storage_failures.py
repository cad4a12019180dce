import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnlab.core.errors import StorageError
from cnnlab.runs import Predictions, Run, RunStore, RunWriter

MakeRun = Callable[..., Path]
DIGEST = "0123456789abcdef" * 4
PREDICTIONS = Predictions({"label": np.zeros((4, 10))}, {}, list("abcd"), "classes()", {}, "d", "test")
REWRITES: dict[str, Callable[[RunWriter], object]] = {
    "run.json": lambda writer: writer.update(epochs_done=9),
    "history.csv": lambda writer: writer.history([{"epoch": 1}]),
    "predictions/test.safetensors": lambda writer: writer.predictions(PREDICTIONS),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def writer(make_run: MakeRun) -> RunWriter:
    """A run with every kind of file, held open."""
    writer = RunWriter.open(make_run())
    for rewrite in REWRITES.values():
        rewrite(writer)
    writer.live({"step": 1})
    return writer


def fill(writer: RunWriter) -> int:
    """Logs steps until the disk is full; the last that was logged."""
    for step in range(100_000):
        try:
            writer.live({"step": step, "loss": 0.123456})
        except StorageError:
            return step - 1
    raise AssertionError("the disk never filled up")


def fail_with(number: int) -> Callable[..., None]:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("name", REWRITES)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_leaves_the_earlier_file_and_nothing_else(
    writer: RunWriter, monkeypatch: pytest.MonkeyPatch, name: str, call: str
) -> None:
    before, known = contents(writer.folder), writer.info
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail_with(errno.ENOSPC))
        with pytest.raises(StorageError, match=rf"{name} could not be written: the disk is full"):
            REWRITES[name](writer)
    assert contents(writer.folder) == before and writer.info == known
    REWRITES[name](writer)
    assert Run(writer.folder).epochs_done == 9


def test_full_disk_leaves_whole_lines_in_the_log(writer: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    write, room = os.write, [5]

    def write_while_there_is_room(handle: int, content: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(handle, content[: room[0]])
        room[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_while_there_is_room)
        with pytest.raises(StorageError, match=r"live\.jsonl could not be written: the disk is full"):
            writer.live({"step": 2})
    assert (writer.folder / "live.jsonl").read_text() == '{"step":1}\n'
    writer.live({"step": 2})
    assert Run(writer.folder).live == [{"step": 1}, {"step": 2}]


def test_run_that_cannot_be_made_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_with(errno.ENOSPC))
        with pytest.raises(StorageError, match="the disk is full"):
            RunWriter.create(root, digest=DIGEST, recipe={}, name="digits")
    assert list(root.iterdir()) == []
    RunWriter.create(root, digest=DIGEST, recipe={}, name="digits").close()


def test_file_in_the_way_of_the_runs_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(StorageError, match="runs could not be written: a file of that name is in the way"):
        RunWriter.create(tmp_path / "runs", digest=DIGEST, recipe={}, name="digits")
    with pytest.raises(StorageError, match="a part of the path is a file"):
        RunWriter.create(tmp_path / "runs" / "deeper", digest=DIGEST, recipe={}, name="digits")
    assert (tmp_path / "runs").read_text() == "mine"
    assert list(RunStore(tmp_path / "runs").list()) == []


def test_run_on_a_disk_that_fills_up_stays_whole(small_disk: Path) -> None:
    with RunWriter.create(small_disk, digest=DIGEST, recipe={"data": "digits"}, name="digits") as writer:
        writer.history([{"epoch": 1, "loss": 0.5}])
        (small_disk / "ballast").write_bytes(bytes(60_000))
        with pytest.raises(StorageError, match="the disk is full"):
            writer.history([{"epoch": epoch, "loss": 1 / 3} for epoch in range(1, 10_000)])
        last = fill(writer)
        assert [entry["step"] for entry in Run(writer.folder).live] == list(range(last + 1))
        assert Run(writer.folder).history["loss"].tolist() == [0.5]
        with pytest.raises(StorageError, match="the disk is full"):
            RunWriter.create(small_disk, digest="f" * 64, recipe={"notes": "x" * 10_000}, name="second")
        assert sorted(path.name for path in small_disk.glob("*-*")) == ["digits-01234567"]
        assert [summary.name for summary in RunStore(small_disk).list()] == ["digits-01234567"]
        (small_disk / "ballast").unlink()
        writer.live({"step": last + 1})
        writer.finish({"test": {"accuracy": 1.0, "n": 2}})
    run = Run(writer.folder)
    assert run.status == "finished" and [entry["step"] for entry in run.live] == list(range(last + 2))


def test_read_only_disk_can_be_read_and_refuses_to_be_written(small_disk: Path) -> None:
    RunWriter.create(small_disk, digest=DIGEST, recipe={"data": "digits"}, name="digits").close()
    with (small_disk / "digits-01234567" / "history.csv").open("w") as file:
        file.write("epoch,loss\n1,0.5\n")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    store = RunStore(small_disk)
    for _ in range(2):
        assert [summary.name for summary in store.list()] == ["digits-01234567"]
    assert store.find("last").history["loss"].tolist() == [0.5] and not store.find("last").is_running
    assert len(store.filter(data="digits")) == 1
    for attempt in (
        lambda: RunWriter.open(small_disk / "digits-01234567"),
        lambda: RunWriter.create(small_disk, digest="f" * 64, recipe={}, name="second"),
        lambda: store.delete("last"),
    ):
        with pytest.raises(StorageError, match=r"the disk is read-only\. Choose another folder"):
            attempt()
    assert [path.name for path in small_disk.iterdir()] == ["digits-01234567"]
