"""A command line in a process of its own, forked off one in which everything is imported, within bounds.

Importing torch takes seconds, a fork some milliseconds. The process that forks computes nothing and has one thread.
"""

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .case import Case, Step

_BEGAN = b"began\n"
_LARGEST_FILE = 1 << 30
_MOST_SAID = 1 << 20
_NOBODY = 65534
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2, "os.truncate": 1,
    "os.chmod": 1, "os.chown": 1, "os.utime": 1, "os.mkfifo": 1,
}  # fmt: skip
"""Events that change the file system, and how many paths each names."""
_ALWAYS = ("/dev/null", "/dev/tty", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/ptmx", "/proc/self/fd/")


@dataclass(frozen=True)
class Bounds:
    """What a command may take.

    :param seconds: of the processor, so that other work on the machine does not count.
    :param waiting: seconds that may pass, for what waits and does not compute.
    :param memory: bytes beyond what the process had when it was forked.
    """

    seconds: float = 10.0
    memory: int = 2 << 30
    waiting: float = 60.0


@dataclass
class Outcome:
    """What came of a command.

    :param code: its exit code; negative for the signal that ended it.
    :param stopped: ``time`` or ``memory``, where it was ended for going beyond a bound.
    :param seconds: of the processor that it took, or those that passed where it was ended for waiting too long.
    :param memory: the most bytes beyond those it began with.
    :param writes: paths outside its folder that it opened for writing, or changed.
    """

    step: Step
    code: int = 0
    stopped: str = ""
    seconds: float = 0.0
    memory: int = 0
    output: str = ""
    errors: str = ""
    writes: list[str] = field(default_factory=list)


class Process:
    """A command at work."""

    def __init__(self, case: Case, step: Step, bounds: Bounds) -> None:
        self._bounds, self._step = bounds, step
        # Pipes, for what is said must not count as files that may only grow so far.
        self._pipes = [os.pipe() for _ in range(3)]
        self._said = [bytearray() for _ in self._pipes]
        self._is_signalled = step.signal is None
        self._began: float | None = None
        self._since = time.monotonic()
        self._most = 0
        self._id = os.fork()
        if self._id == 0:
            _become(case, step, [write for _, write in self._pipes], bounds)
        self._base = memory_of(self._id)
        for read, write in self._pipes:
            os.close(write)
            os.set_blocking(read, False)

    def poll(self) -> Outcome | None:
        """What came of it; None while it is at work. Ends it where it goes beyond a bound."""
        ended, status, usage = os.wait4(self._id, os.WNOHANG)
        passed = time.monotonic() - self._since
        self._listen()
        if ended:
            return self._outcome(status, usage, usage.ru_utime + usage.ru_stime, "")
        self._most = max(self._most, memory_of(self._id) - self._base)
        self._send_signal()
        seconds = computed_by(self._id)
        is_long = seconds > self._bounds.seconds or passed > self._bounds.waiting
        stopped = "time" if is_long else "memory" if self._most > self._bounds.memory else ""
        if not stopped:
            return None
        _kill(self._id)
        _, status, usage = os.wait4(self._id, 0)
        return self._outcome(status, usage, passed if passed > self._bounds.waiting else seconds, stopped)

    def _send_signal(self) -> None:
        if self._is_signalled:
            return
        if self._began is not None and time.monotonic() - self._began >= self._step.after:
            self._is_signalled = True
            os.kill(self._id, self._step.signal or 0)

    def _listen(self) -> None:
        """Reads what was said, so that nobody waits for a full pipe; of very much the beginning is kept."""
        for (read, _), said in zip(self._pipes, self._said, strict=True):
            with suppress(BlockingIOError):
                while part := os.read(read, 1 << 16):
                    said += part[: max(0, _MOST_SAID - len(said))]
        if self._began is None and self._said[2]:
            self._began = time.monotonic()

    def _outcome(self, status: int, usage: resource.struct_rusage, seconds: float, stopped: str) -> Outcome:
        # What it started and left at work ends with it.
        _kill(self._id)
        most = max(self._most, usage.ru_maxrss * 1024 - self._base)
        if most > self._bounds.memory:
            stopped = stopped or "memory"
        self._listen()
        for read, _ in self._pipes:
            os.close(read)
        output, errors, audit = (said.decode(errors="replace") for said in self._said)
        writes = audit.splitlines()[1:]
        code = os.waitstatus_to_exitcode(status)
        return Outcome(self._step, code, stopped, seconds, max(0, most), output, errors, writes)


def memory_of(process: int) -> int:
    """Bytes of memory that a process has; 0 for one that is gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def computed_by(process: int) -> float:
    """Seconds of the processor that a process has had; 0 for one that is gone."""
    try:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, after_name[11:15])) / os.sysconf("SC_CLK_TCK")


def run_alone(work: Callable[[], object], folder: Path) -> None:
    """Something in a forked process, in a folder; an error there is one here."""
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("what prepares the inputs failed; see above")


def call(words: tuple[str, ...]) -> int:
    """The exit code of a command line, run here."""
    from cnnlab.cli.app import command_tree

    try:
        command_tree().main(list(words), prog_name="cnnlab")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    return 0


def call_python(work: Callable[[Case], object], case: Case) -> int:
    """The same of a piece of Python: what is refused is told as the command line tells it."""
    from cnnlab.cli.program import complain
    from cnnlab.core.errors import CnnlabError

    try:
        work(case)
    except CnnlabError as error:
        complain(str(error))
        return error.exit_code
    return 0


def _become(case: Case, step: Step, pipes: list[int], bounds: Bounds) -> None:
    """In the forked process: the command in its folder, and the end."""
    code = 99
    try:
        output, errors, audit = pipes
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.setsid()
        for place, handle in enumerate((nothing, output, errors)):
            os.dup2(handle, place)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(*how, closefd=False) for how in ((0, "r"), (1, "w"), (2, "w")))
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="replace")
        _surround(case)
        _bound(step, bounds)
        if step.patch is not None:
            step.patch(case)
        _watch_writes(case, audit)
        os.write(audit, _BEGAN)
        code = call(step.words) if step.python is None else call_python(step.python, case)
        sys.stdout.flush()
        sys.stderr.flush()
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        os.write(2, traceback.format_exc().encode(errors="replace"))
    finally:
        os._exit(code & 0xFF)


def _surround(case: Case) -> None:
    os.chdir(case.work)
    tempfile.tempdir = None
    os.environ |= {
        "HOME": str(case.home / "home"), "TMPDIR": str(case.work / "tmp"), "CNNLAB_CACHE": str(case.work / "cache"),
        # No input is worth a request to somebody's server.
        "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip


def _bound(step: Step, bounds: Bounds) -> None:
    virtual = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (virtual + 2 * bounds.memory,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    largest = _LARGEST_FILE if step.file_size is None else step.file_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if not step.is_root and os.getuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)


def _watch_writes(case: Case, audit: int) -> None:
    """Notes every path outside the folder of work that Python opens for writing, makes, renames or removes."""
    allowed = (*(f"{os.path.realpath(path)}/" for path in (case.work, case.samples.kernels)), *_ALWAYS)
    work = os.path.realpath(case.work)

    def note(path: Any, follows: bool, folder: Any = -1) -> None:
        if isinstance(path, int) or path is None:
            return
        text = os.fsdecode(path)
        if isinstance(folder, int) and folder >= 0 and not os.path.isabs(text):
            text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
        head, tail = os.path.split(text)
        real = os.path.realpath(text) if follows else os.path.join(os.path.realpath(head or "."), tail)
        if real != work and not real.startswith(allowed):
            os.write(audit, (ascii(real) + "\n").encode())

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            changes = flags & _WRITES if isinstance(flags, int) else set(mode or "") & set("wax+")
            if changes:
                note(path, follows=not (isinstance(flags, int) and flags & (os.O_EXCL | os.O_NOFOLLOW)))
        elif event in _CHANGES:
            folders = [value for value in arguments[_CHANGES[event] :] if isinstance(value, int)]
            paths = arguments[1:2] if event == "os.symlink" else arguments[: _CHANGES[event]]
            for path in paths:
                note(
                    path, False, folders[-1] if folders and event not in ("os.chmod", "os.mkdir", "os.truncate") else -1
                )

    sys.addaudithook(hook)


def _kill(process: int) -> None:
    try:
        os.killpg(process, signal.SIGKILL)
    except ProcessLookupError:
        # It has not made its group yet, or all are gone.
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            return
