"""Processes for one training, a device each, started and watched over by the one that a person started.

Each is this Python with :mod:`cnnlab.training.several_devices.process`. They meet by a file in a folder that is theirs
alone, and are in sessions of their own, so that a signal reaches them once, by way of this process. What they have to
say comes as lines of JSON; when this process is gone, so are they.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cnnlab.core import errors
from cnnlab.core.errors import CnnlabError, TrainingError
from cnnlab.core.machine import WINDOWS
from cnnlab.core.messages import prints_notes, warn
from cnnlab.training.divergence import DivergedError
from cnnlab.training.several_devices.presence import LOG_LEVEL, RENDEZVOUS
from cnnlab.training.signals import Interrupted, StopRequest, catching_signals

_ENDING_SECONDS = 40.0
"""For the others to end once one has: they notice at the next exchange, and the first has mirrors to wait for."""
_POLL_SECONDS = 0.1
_OF_TORCHRUN = ("MASTER_ADDR", "MASTER_PORT", "LOCAL_WORLD_SIZE", "GROUP_RANK")
_PROGRAM = (sys.executable, "-m", "cnnlab.training.several_devices.process")


@dataclass(frozen=True)
class _Word:
    """What a process says, by its rank; None as the content where it says no more."""

    rank: int
    content: Mapping[str, Any] | None


def carry_out(count: int, verb: str, request: Mapping[str, Any]) -> Path:
    """Has so many processes train together; the folder of the finished run.

    :param verb: ``train`` or ``resume``; ``request`` what it takes.
    :raises Interrupted: once they have saved and stopped.
    :raises CnnlabError: the first that one of them raised.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cnnlab-"))
        stop_request = stack.enter_context(catching_signals())
        processes = stack.enter_context(_started(count, Path(folder)))
        line = {"verb": verb, "request": _plain(request), "shows": prints_notes()}
        words: queue.SimpleQueue[_Word] = queue.SimpleQueue()
        for rank, process in enumerate(processes):
            _send(process, line)
            threading.Thread(target=_listen, args=(rank, process, words), daemon=True).start()
        return _outcome(processes, words, stop_request, Path(folder))


def _outcome(
    processes: "Sequence[subprocess.Popen[bytes]]",
    words: "queue.SimpleQueue[_Word]",
    stop_request: StopRequest,
    folder: Path,
) -> Path:
    """What the training came to, once all processes have ended."""
    told, failed = list[tuple[int, Mapping[str, Any]]](), list[int]()
    running, passed_on, deadline = len(processes), None, float("inf")
    while running:
        if stop_request.number != passed_on:
            passed_on = stop_request.number
            _signal(processes, passed_on or signal.SIGTERM)
        with suppress(queue.Empty):
            word = words.get(timeout=_POLL_SECONDS)
            if word.content is None:
                running -= 1
                if processes[word.rank].wait() != 0:
                    failed.append(word.rank)
                    deadline = min(deadline, time.monotonic() + _ENDING_SECONDS)
            elif "warning" in word.content:
                warn(word.content["warning"])
            else:
                told.append((word.rank, word.content))
        if time.monotonic() >= deadline:
            for process in processes:
                process.kill()
    # Where several say the same, the first does so in the words of whoever started them.
    last_words = [content for _, content in sorted(told, key=lambda word: word[0])]
    for content in (*(c for c in last_words if "error" in c), *(c for c in last_words if "stopped" in c)):
        raise _error(content)
    if stop_request.number is not None:
        raise Interrupted(stop_request.number, "", "the same command goes on with what there is")
    if failed or not last_words:
        raise _silent_death(failed[0] if failed else 0, processes, folder)
    return Path(last_words[0]["folder"])


def _error(word: Mapping[str, Any]) -> BaseException:
    """What a process raised, raised here."""
    if "stopped" in word:
        return Interrupted(word["stopped"], word["where"])
    if word["kind"] == DivergedError.__name__:
        return DivergedError(word["error"], word["step"], word["rate"])
    kind = vars(errors).get(word["kind"], RuntimeError)
    error: BaseException = kind(word["error"])
    return error


def _silent_death(rank: int, processes: "Sequence[subprocess.Popen[bytes]]", folder: Path) -> CnnlabError:
    code = processes[rank].returncode
    said = (folder / f"stderr-{rank}").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return TrainingError(
        f"the process of device {rank + 1} of {len(processes)} ended without a word, {how}"
        f"{f' ({said[-1][:200]})' if said else ''}, as the system ends one when memory runs out. What was saved is "
        "kept: the same command goes on with it."
    )


@contextmanager
def _started(count: int, folder: Path) -> "Iterator[list[subprocess.Popen[bytes]]]":
    """The processes, of which none outlives the block."""
    processes: list[subprocess.Popen[bytes]] = []
    environment = {name: value for name, value in os.environ.items() if name not in _OF_TORCHRUN}
    environment |= {"WORLD_SIZE": str(count), RENDEZVOUS: str(folder / "meeting")}
    environment.setdefault(LOG_LEVEL, "ERROR")
    if sys.platform.startswith("linux"):
        # They are all on this machine, so that nothing need be open to others.
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    try:
        for rank in range(count):
            # The first speaks for all, on the terminal too; of the others there is something to read if they die.
            with open(folder / f"stderr-{rank}", "wb") as elsewhere:
                processes.append(
                    subprocess.Popen(
                        _PROGRAM,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=elsewhere if rank else None,
                        env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                        start_new_session=not WINDOWS,
                    )
                )
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()


def _listen(rank: int, process: "subprocess.Popen[bytes]", words: "queue.SimpleQueue[_Word]") -> None:
    stream: IO[bytes] | None = process.stdout
    assert stream is not None
    for line in stream:
        # What a library prints there is none of theirs.
        with suppress(ValueError):
            content = json.loads(line)
            if isinstance(content, dict):
                words.put(_Word(rank, content))
    words.put(_Word(rank, None))


def _send(process: "subprocess.Popen[bytes]", line: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        # That it is dead is told by its other stream.
        process.stdin.write(json.dumps(line).encode() + b"\n")
        process.stdin.flush()


def _signal(processes: "Sequence[subprocess.Popen[bytes]]", number: int) -> None:
    if WINDOWS and number == signal.SIGINT:
        # There Ctrl-C reaches all that share the console, and nothing else can be sent that does not end them at once.
        return
    for process in processes:
        with suppress(ProcessLookupError):
            process.send_signal(number)


def _plain(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in request.items()}
