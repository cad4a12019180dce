"""Bounds on what is read, and how a person raises them."""

import os
from pathlib import Path

import pytest

from cnnlab.core import limits, machine
from cnnlab.core.errors import DataError, UsageError
from cnnlab.core.files import open_regular, read_regular
from cnnlab.core.limits import check_memory, check_size, check_unpacked, most_bytes


@pytest.mark.parametrize(
    ("said", "bound"), [("", 100), ("7", 100), ("101", 101), ("2 kB", 2048), ("3M", 3 << 20), ("20GB", 20 << 30)]
)
def test_a_bound_is_raised_and_never_lowered(said: str, bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNLAB_MOST_BYTES", said)
    assert most_bytes(100) == bound


def test_a_bound_that_is_no_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNLAB_MOST_BYTES", "much")
    with pytest.raises(UsageError, match="CNNLAB_MOST_BYTES=much is no size"):
        most_bytes(100)


def test_what_is_beyond_the_bounds_is_refused_with_how_to_allow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"it has 101 bytes.* set CNNLAB_MOST_BYTES=1GB"):
        check_size(101, 100, "it")
    # A gigabyte is harmless, and so are a hundred times the packed size.
    check_unpacked(1 << 30, 1, "it")
    check_unpacked(5 << 30, (5 << 30) // 100 + 1, "it")
    with pytest.raises(DataError, match="made to fill memory"):
        check_unpacked(5 << 30, (5 << 30) // 101, "it")
    monkeypatch.setattr(limits, "free_memory", lambda: 1 << 30)
    check_memory(1 << 30, "it")
    with pytest.raises(DataError, match=r"it takes 745\.1 GB of memory, and 1\.0 GB are free"):
        check_memory(800 * 10**9, "it")


def test_free_memory_is_less_than_all_of_it() -> None:
    assert 0 < machine.free_memory() <= machine.physical_memory()


def test_only_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero", "."):
        with pytest.raises(OSError, match="a folder, a pipe or a device"):
            open_regular(tmp_path / name)
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", 5) == b"12345"
    # Of what may be read no more room is taken than there is to read.
    assert read_regular(tmp_path / "file", 1 << 60) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_regular(tmp_path / "file", 4)
