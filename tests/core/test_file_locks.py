"""One process at a time replaces a file."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cnnlab.core.errors import StorageError
from cnnlab.core.file_locks import only_writer
from cnnlab.core.files import write_text


def test_what_several_add_to_one_file_is_all_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "count"

    def add(_: int) -> None:
        with only_writer(path):
            path.write_text(str(int(path.read_text() or 0) + 1) if path.exists() else "1")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(80)))
    assert path.read_text() == "80"
    assert {each.name for each in tmp_path.iterdir()} == {"cache", "count"}


def test_without_a_cache_there_is_no_lock_and_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "cache"))
    with only_writer(tmp_path / "x"):
        write_text(tmp_path / "x", "written")
    assert (tmp_path / "x").read_text() == "written"


def test_who_waits_too_long_to_write_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "cache"))
    is_held, is_done = threading.Event(), threading.Event()

    def hold() -> None:
        with only_writer(tmp_path / "x"):
            is_held.set()
            is_done.wait(20)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(hold)
        assert is_held.wait(20)
        with (
            pytest.raises(StorageError, match="x could not be written: another process"),
            only_writer(tmp_path / "x", seconds=0.1),
        ):
            raise AssertionError
        is_done.set()
    with only_writer(tmp_path / "x"):
        pass
