"""A worker process: takes requests through a pipe, trains them one after another, and tells how it goes.

What goes to a worker is a pair: ``("share", (key, dataset))``, ``("train", request)``, ``("go on", bool)``,
``("pace", (recipe, seconds))`` or ``("end", None)``; what comes back is an event of
:mod:`cnnlab.studies.execution.executor`,
``("pace", timing)`` or ``("error", message)``, and ``("ready", process id)`` first of all.

A worker outlives nobody: when the other end of the pipe is closed, whatever the reason, a thread that listens there
sends its own process a SIGTERM, upon which the training saves and stops.
"""

import os
import queue
import signal
import threading
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cnnlab.core import memory
from cnnlab.core.errors import CnnlabWarning
from cnnlab.core.machine import WINDOWS

_ENDED = ("end", None)


@dataclass(frozen=True)
class WorkerConfig:
    """Where a worker works: the folder of runs, where data is looked for, and objects that recipes stand for."""

    runs: Path
    data_dir: Path | None
    offline: bool
    objects: tuple[tuple[Any, bytes], ...] = ()


def work(connection: Connection, config: WorkerConfig) -> None:
    """The life of a worker process."""
    # Of its own group, so that Ctrl-C on the terminal reaches the study alone, which then asks its workers to stop.
    if not WINDOWS:
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore", CnnlabWarning)
    # Before any data is shared.
    memory.ask_for_large_pages()
    inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    listener = threading.Thread(target=_listen, args=(connection, inbox), daemon=True)
    from cnnlab.studies.execution.shared_data import DatasetCache
    from cnnlab.studies.python_objects import unpack
    from cnnlab.training.signals import Interrupted

    sets = DatasetCache()
    unpack(config.objects)
    _send(connection, ("ready", os.getpid()))
    listener.start()
    try:
        while (word := inbox.get())[0] != "end":
            _heed(word, sets, connection, inbox, config)
    except Interrupted:
        # Everything is saved; whoever asked knows.
        os._exit(128 + signal.SIGTERM)


def _heed(word: tuple[str, Any], sets: Any, connection: Connection, inbox: Any, config: WorkerConfig) -> None:
    from cnnlab.studies.execution.run_trial import run_trial, time_steps

    kind, content = word
    if kind == "share":
        key, dataset = content
        sets[key] = dataset
    elif kind == "pace":
        recipe, seconds = content
        try:
            _send(connection, ("pace", _paced(time_steps, recipe, seconds, sets, config)))
        except Exception as error:
            _send(connection, ("error", str(error)))
    elif kind == "train":
        last = run_trial(
            content,
            runs=config.runs,
            data_dir=config.data_dir,
            offline=config.offline,
            datasets=sets,
            tell=lambda event: _send(connection, event),
            may_go_on=lambda: not content.is_judged or _answer(inbox),
        )
        _send(connection, last)


def _paced(measure: Any, recipe: Any, seconds: float, sets: Any, config: WorkerConfig) -> Any:
    return measure(recipe, data_dir=config.data_dir, offline=config.offline, datasets=sets, seconds=seconds)


def _answer(inbox: "queue.SimpleQueue[tuple[str, Any]]") -> bool:
    while True:
        kind, content = inbox.get()
        if kind == "go on":
            return bool(content)
        if kind == "end":
            # For whoever waits for the next request too.
            inbox.put(_ENDED)
            return False


def _listen(connection: Connection, inbox: "queue.SimpleQueue[tuple[str, Any]]") -> None:
    while True:
        try:
            word = connection.recv()
        except (EOFError, OSError):
            inbox.put(_ENDED)
            _stop_this_process()
            return
        inbox.put(word)


def _stop_this_process() -> None:
    if WINDOWS:
        # A signal that is sent there ends the process, whatever handles it.
        signal.raise_signal(signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)


def _send(connection: Connection, message: Any) -> None:
    try:
        connection.send(message)
    except (BrokenPipeError, OSError):
        # The listener notices too, and sees to the rest.
        return
