"""Files that are the old one or the whole new one."""

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlab.core import files
from cnnlab.core.errors import StorageError


def test_file_is_written_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "run.json"
    files.write_text(path, "é")
    assert path.read_bytes() == "é".encode()
    assert list(path.parent.iterdir()) == [path]


def test_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    files.write_bytes(path, b"a long first content")
    files.write_bytes(path, b"short")
    assert path.read_bytes() == b"short"


def test_old_file_stands_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_error_leaves_the_old_file_and_no_other(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "x"
    path.write_text("old")

    def write() -> None:
        with files.replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    code = (
        "import sys; from pathlib import Path; from cnnlab.core.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); print('ready', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        writer.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    files.write_text(tmp_path / "ours", "")
    (tmp_path / "plain").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_content_reaches_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real_flush, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (seen.append("fsync"), real_flush(handle))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (seen.append("rename"), real_replace(a, b))[1])
    files.write_text(tmp_path / "x", "content")
    assert seen == ["fsync", "rename", "fsync"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "the disk is full. Free some space"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "may not be written to"),
        (errno.EPERM, "may not be written to"),
    ],
)
def test_disk_that_takes_nothing_is_told_with_a_remedy(tmp_path: Path, number: int, remedy: str) -> None:
    path = tmp_path / "x"
    path.write_text("old")

    def write() -> None:
        with files.replacing(path):
            raise OSError(number, os.strerror(number))

    with pytest.raises(StorageError, match=remedy) as caught:
        write()
    assert str(path) in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_error_that_is_not_of_the_disk_passes_through(tmp_path: Path) -> None:
    def write() -> None:
        with files.replacing(tmp_path / "x"):
            raise FileNotFoundError(errno.ENOENT, "another file")

    with pytest.raises(FileNotFoundError, match="another file"):
        write()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_really_full_device_is_told(tmp_path: Path) -> None:
    def write() -> None:
        with files.storage_errors(tmp_path / "x"), open("/dev/full", "wb") as full:
            full.write(b"x" * 100_000)

    with pytest.raises(StorageError, match="the disk is full"):
        write()


def test_folder_under_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(StorageError, match="a part of the path is a file"):
        files.write_text(tmp_path / "a" / "b" / "x", "")


def test_file_where_a_folder_is_wanted_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(StorageError, match="a file of that name is in the way"):
        files.make_folder(tmp_path / "a")


def test_folder_where_a_file_is_wanted_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(StorageError, match="a folder of that name is in the way"):
        files.write_text(tmp_path / "a", "")
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_name_too_long_for_the_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the name is too long"):
        files.make_folder(tmp_path / ("x" * 300))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="may not be written to"):
        files.write_text(tmp_path / "x", "")


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    pipe, used = tmp_path / "pipe", tmp_path / "socket"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(used))
        for path in (pipe, used):
            with pytest.raises(StorageError, match=f"{path.name} could not be written: it is no file"):
                files.write_text(path, "new")
    assert stat.S_ISFIFO(pipe.stat().st_mode) and stat.S_ISSOCK(used.stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipe", "socket"]


def test_cache_folder_is_the_one_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path))
    assert files.cache_folder() == tmp_path
    monkeypatch.delenv("CNNLAB_CACHE")
    assert files.cache_folder().name == "cnnlab"
    assert files.cache_folder().is_absolute()


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with files.replacing(path) as first, files.replacing(path) as second:
        assert first != second
        first.write_text("one")
        second.write_text("other")
    assert path.read_text() == "one"


def test_queue_that_passes_for_a_file_is_told_when_it_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As /proc/kmsg does, which only the superuser may open: what says that it is a file is read from a pipe here.
    receiving, sending = os.pipe()
    os.set_blocking(receiving, False)
    path = tmp_path / "queue"
    path.touch()
    real = os.open
    monkeypatch.setattr(os, "open", lambda name, *rest: receiving if name == path else real(name, *rest))
    monkeypatch.setattr(files.stat, "S_ISREG", lambda mode: True)
    os.write(sending, b"once")
    with files.open_regular(path) as file:
        assert file.read(4) == b"once"
        for read in (lambda: file.read(4), file.read, lambda: file.readinto(bytearray(4))):
            with pytest.raises(OSError, match="no file but a folder, a pipe or a device"):
                read()
    os.close(sending)
