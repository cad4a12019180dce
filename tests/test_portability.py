"""Systems other than Linux, as far as they can be played here: what Windows lacks is blocked or stood in for.

Windows moves no folder in which a file is open and replaces no open file, opens no folder, flushes nothing that is open
for reading only, and ends a process by any signal that is sent to it.
"""

import ast
import contextlib
import ctypes
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import cnnlab
from cnnlab.cli import output
from cnnlab.core import file_systems, files, machine
from cnnlab.core.errors import StorageError
from cnnlab.runs import RunStore, RunWriter, lock
from cnnlab.studies.execution import worker
from cnnlab.training.signals import catching_signals

SOURCE = Path(cnnlab.__file__).parent
POSIX_MODULES = {"fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "posix", "syslog"}
POSIX_OF_OS = {"fork", "forkpty", "getuid", "geteuid", "getgid", "getpgid", "setpgid", "killpg", "setsid", "sysconf"}
POSIX_OF_OS |= {"O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY", "mkfifo", "statvfs", "uname", "nice", "chown"}
POSIX_OF_OS |= {"sched_getaffinity", "sched_setaffinity", "pread", "posix_fadvise", "wait", "fchmod", "fchown"}
POSIX_OF_SIGNAL = {
    "SIGKILL",
    "SIGHUP",
    "SIGALRM",
    "SIGUSR1",
    "SIGUSR2",
    "SIGXFSZ",
    "alarm",
    "setitimer",
    "pthread_kill",
}

USES = {
    "core/files.py": {"fcntl"},
    "core/machine.py": {"os.sched_getaffinity", "os.sysconf", "resource"},
    "models/cpu_kernels/compiler.py": {"os.killpg", "signal.SIGKILL"},
    "runs/index.py": {"os.getuid"},
    "runs/lock.py": {"fcntl"},
    "studies/execution/worker.py": {"os.setpgid"},
}
"""What is used of POSIX alone: done without where it is missing, or never come to, since nothing is compiled there."""


def posix_uses(path: Path) -> set[str]:
    """What a file uses by name that Windows has not."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & POSIX_MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} & POSIX_MODULES
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = {"os": POSIX_OF_OS, "signal": POSIX_OF_SIGNAL}.get(node.value.id, set())
            found |= {f"{node.value.id}.{node.attr}"} if node.attr in names else set()
    return found


def test_nothing_else_is_used_that_windows_lacks() -> None:
    found = {path.relative_to(SOURCE).as_posix(): posix_uses(path) for path in SOURCE.rglob("*.py")}
    assert {name: uses for name, uses in found.items() if uses} == USES


IMPORT_ALL = f"""
import builtins, importlib, os, pkgutil, signal, types
def without(module, names):
    rest = types.ModuleType(module.__name__)
    rest.__dict__.update({{key: value for key, value in vars(module).items() if key not in names}})
    return rest
poorer = {{"os": without(os, {sorted(POSIX_OF_OS)!r}), "signal": without(signal, {sorted(POSIX_OF_SIGNAL)!r})}}
plain = builtins.__import__
def imported(name, globals=None, locals=None, fromlist=(), level=0):
    if str((globals or {{}}).get("__name__")).startswith("cnnlab"):
        if name in {sorted(POSIX_MODULES)!r}:
            raise ImportError(name)
        if name in poorer:
            return poorer[name]
    return plain(name, globals, locals, fromlist, level)
builtins.__import__ = imported
import cnnlab
for module in pkgutil.walk_packages(cnnlab.__path__, "cnnlab."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from cnnlab.core import files, machine
from cnnlab.runs import lock
assert files.fcntl is None and lock.fcntl is None and not hasattr(machine.os, "sysconf")
print(machine.usable_cores() > 0, machine.physical_memory() == 8 << 30)
"""


@pytest.mark.slow(12)
def test_every_module_is_imported_where_there_is_no_posix() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", IMPORT_ALL], capture_output=True, text=True)
    assert done.stdout == "True True\n", done.stderr


def texts_without_an_encoding(path: Path) -> list[int]:
    """The lines of a file that read or write text as the system would have it, which is not UTF-8 on Windows."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or any(keyword.arg == "encoding" for keyword in node.keywords):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        is_method = isinstance(node.func, ast.Attribute)
        is_text = (name == "read_text" and not node.args) or (name == "write_text" and is_method and len(node.args) < 2)
        mode = node.args[1] if name == "open" and not is_method and len(node.args) > 1 else None
        is_plain_open = name == "open" and not is_method and not (mode and "b" in str(getattr(mode, "value", "b")))
        lines += [node.lineno] if is_text or is_plain_open else []
    return lines


def test_text_files_are_utf_8_on_every_system(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "p.read_text()\np.write_text(x)\nopen(p)\nopen(p, 'rb')\nopen(p, encoding='utf-8')\n"
    )
    assert texts_without_an_encoding(tmp_path / "a.py") == [1, 2, 3]
    found = {path: texts_without_an_encoding(path) for path in SOURCE.rglob("*.py")}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Windows refuses, refused here."""
    plain_open, plain_fsync = os.open, os.fsync

    def open_file(path: str | Path, flags: int, *mode: int) -> int:
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain_open(path, flags, *mode)

    def fsync(handle: int) -> None:
        import fcntl

        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        plain_fsync(handle)

    def is_open(path: str | Path) -> bool:
        inside = re.escape(os.path.realpath(path))
        held = []
        for handle in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                held.append(os.readlink(handle))
        return any(re.fullmatch(rf"{inside}(/.*)?", name) for name in held)

    for name in ("replace", "rename"):
        plain = getattr(os, name)

        def move(source: str | Path, target: str | Path, plain: object = plain) -> None:
            if is_open(source) or is_open(target):
                raise PermissionError(errno.EACCES, "Permission denied", str(target))
            plain(source, target)  # type: ignore[operator]

        monkeypatch.setattr(os, name, move)
    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.setattr(os, "fsync", fsync)
    for module in (files, lock, machine, worker, file_systems):
        monkeypatch.setattr(module, "WINDOWS", True)
    for module in (files, lock):
        monkeypatch.setattr(module, "fcntl", None)


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks up open files in /proc")


@needs_proc
def test_the_stand_in_refuses_what_windows_does(on_windows: None, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with (tmp_path / "folder" / "file").open("wb"), pytest.raises(PermissionError):
        (tmp_path / "folder").rename(tmp_path / "other")
    (tmp_path / "folder").rename(tmp_path / "other")
    with pytest.raises(PermissionError):
        os.open(tmp_path, os.O_RDONLY)


@needs_proc
def test_files_are_written_and_flushed_on_windows(on_windows: None, tmp_path: Path) -> None:
    files.write_text(tmp_path / "x", "é\n")
    files.write_text(tmp_path / "x", "ü\n")
    assert (tmp_path / "x").read_bytes() == "ü\n".encode()
    with pytest.raises(OSError, match="no file but a folder"):
        files.open_regular(tmp_path)


@needs_proc
def test_a_file_that_is_read_for_a_moment_is_replaced_after_it(on_windows: None, tmp_path: Path) -> None:
    path = tmp_path / "x"
    files.write_text(path, "old")
    reader = path.open("rb")
    threading.Timer(0.2, reader.close).start()
    files.write_text(path, "new")
    assert reader.closed and path.read_text("utf-8") == "new"


@needs_proc
def test_one_that_stays_open_is_said_to_be(on_windows: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def violate(source: object, target: object) -> None:
        error = PermissionError(errno.EACCES, "used by another process", str(target))
        error.winerror = 32  # type: ignore[attr-defined]
        raise error

    monkeypatch.setattr(files, "_SECONDS_TO_REPLACE", 0.05)
    monkeypatch.setattr(os, "replace", violate)
    with pytest.raises(StorageError, match=r"another program holds it\. Close that"):
        files.write_text(tmp_path / "x", "new")


@needs_proc
def test_a_run_is_made_locked_found_running_and_deleted_on_windows(on_windows: None, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    writer = RunWriter.create(root, digest="0123456789abcdef" * 4, recipe={"data": "digits"}, name="a")
    writer.live({"step": 1, "loss": 0.5})
    assert lock.is_locked(writer.folder)
    writer.close()
    assert not lock.is_locked(writer.folder)
    assert (writer.folder / "live.jsonl").read_bytes() == b'{"step":1,"loss":0.5}\n'
    store = RunStore(root)
    assert not lock.is_locked(store.delete("a")) and store.list() == []
    assert store.restore(writer.folder.name) == writer.folder


def test_a_lock_that_is_only_probed_is_not_taken_to_be_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "fcntl", None)
    assert not lock.is_locked(tmp_path)
    (tmp_path / lock.LOCK).touch()
    answers: list[bool] = []

    def probe() -> None:
        answers.extend(lock.is_locked(tmp_path) for _ in range(20))

    probes = [threading.Thread(target=probe) for _ in range(3)]
    for thread in probes:
        thread.start()
    for thread in probes:
        thread.join()
    assert len(answers) == 60 and not any(answers)


def test_a_worker_asks_itself_to_stop_by_no_signal_that_would_end_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "WINDOWS", True)
    monkeypatch.setattr(os, "kill", lambda *words: pytest.fail("os.kill ends the process on Windows"))
    with catching_signals() as stop_request:
        listener = threading.Thread(target=worker._stop_this_process)
        listener.start()
        listener.join()
        deadline = time.monotonic() + 5
        while stop_request.number is None and time.monotonic() < deadline:
            time.sleep(0.001)
    assert stop_request.number == signal.SIGTERM


def test_memory_is_asked_of_windows_by_its_own_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(pointer: object) -> int:
        memory = pointer._obj  # type: ignore[attr-defined]
        # The size of MEMORYSTATUSEX, without which the call fails.
        assert memory.length == 64
        raw = (64).to_bytes(4, "little") + (25).to_bytes(4, "little")
        raw += b"".join((gigabytes << 30).to_bytes(8, "little") for gigabytes in (16, 12, 20, 14, 128, 127, 0))
        ctypes.memmove(ctypes.byref(memory), raw, 64)
        return 1

    kernel = SimpleNamespace(GlobalMemoryStatusEx=fill)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(machine, "WINDOWS", True)
    assert machine.physical_memory() == 16 << 30
    assert next(machine._free()) == 12 << 30
    kernel.GlobalMemoryStatusEx = lambda pointer: 0
    assert machine.physical_memory() == 8 << 30


def test_times_of_making_are_not_taken_for_times_of_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_systems, "mounts", dict)
    assert file_systems.all_trusted([tmp_path])
    monkeypatch.setattr(file_systems, "WINDOWS", True)
    assert not file_systems.all_trusted([tmp_path])


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_json_loses_no_sign_that_a_pipe_cannot_hold(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    monkeypatch.setattr(sys, "stdout", stream)
    output.write_json({"name": "日本 − é"})
    stream.flush()
    assert json.loads(stream.buffer.getvalue().decode(encoding)) == {"name": "日本 − é"}  # type: ignore[attr-defined]
