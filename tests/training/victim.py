"""A process that trains and may be killed; run as a program it forks a victim for each line of its standard input.

Forking spares each victim the seconds of importing torch. The parent itself never computes anything, so that no
thread is lost in the fork. A line is JSON: the folder of runs, the recipe, and at which write or after how many seconds
the victim is to die, if any; the answer is its exit status.
"""

import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def train_and_perhaps_die(runs: str, recipe: dict[str, Any], fatal_write: int | None) -> None:
    from cnnlab.core import files
    from cnnlab.training import train

    if fatal_write is not None:
        _die_at(files, fatal_write)
    train(recipe, runs=runs, offline=True)


def _die_at(files: Any, fatal: int) -> None:
    """Kills this process at one of the moments between opening a file and having renamed it."""
    moments = 0
    flush, replace = files.flush, os.replace

    def count() -> None:
        nonlocal moments
        moments += 1
        if moments == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying_flush(path: Path) -> None:
        count()
        flush(path)
        count()

    def dying_replace(source: Path, target: Path) -> None:
        if fatal % 3 == 0 and moments + 1 == fatal:
            os.truncate(source, os.path.getsize(source) // 2)
        count()
        replace(source, target)

    files.flush, files.os.replace = dying_flush, dying_replace


def serve() -> None:
    # All that a training imports sooner or later, so that victims need not.
    # With the symbolic shapes of torch comes SymPy, which takes as long to load as a victim trains.
    modules = ("cnnlab.training.api", "cnnlab.runs.run_schema", "sklearn.datasets", "pandas")
    for module in (*modules, "torch.fx.experimental.symbolic_shapes"):
        importlib.import_module(module)
    # A process that is killed leaves what it wrote to the system, whether or not that is on the disk yet.
    os.fsync = os.fstat  # type: ignore[assignment]

    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        fatal_time = order.pop("fatal_time")
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                train_and_perhaps_die(**order)
                status = 0
            except BaseException as error:  # the parent reads the status
                print(repr(error), file=sys.stderr, flush=True)
            finally:
                sys.stdout.flush()
                os._exit(status)
        if fatal_time is not None:
            time.sleep(fatal_time)
            # Whether it lives or not: until it is waited for, its number is not given to another.
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
