"""A command that is killed on purpose, to see what becomes of what it was at."""

import contextlib
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cnnlab.core.errors import CnnlabError
from cnnlab.core.hooks import CommandDone
from cnnlab.runs import store_at

_LOOK_SECONDS = 0.05
_MOST_SECONDS = 3600.0


def carry_out_and_kill(
    words: Sequence[str],
    epoch: int,
    *,
    runs: Path,
    data_dir: Path | None = None,
    offline: bool = False,
    device: str | None = None,
) -> CommandDone:
    """Begins a command in a process of its own and kills it, without warning, once its run has an epoch behind it.

    :param words: of a training with ``--name``.
    :raises CnnlabError: when it ends by itself before that, or has not come so far within an hour.
    """
    name = _name(words)
    line = [sys.executable, "-m", "cnnlab", *words, "--runs", str(runs)]
    line += [] if data_dir is None else ["--data-dir", str(data_dir)]
    line += [] if device is None else ["--device", device]
    line += ["--offline"] if offline else []
    store = store_at(runs)
    before = {run.name for run in store.named(name)}
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    began = time.monotonic()
    try:
        while process.poll() is None and time.monotonic() - began < _MOST_SECONDS:
            for run in store.named(name):
                if run.name not in before and run.epochs_done >= epoch:
                    process.kill()
                    process.wait()
                    return CommandDone(0, f"killed after epoch {epoch}", {"killed": run.name, "epoch": epoch})
            time.sleep(_LOOK_SECONDS)
    finally:
        with contextlib.suppress(OSError):
            process.kill()
        _, complaint = process.communicate()
    told = complaint.strip().splitlines()[-1:] or ["no word"]
    raise CnnlabError(f"cnnlab {shlex.join(words)} ended before it could be killed after epoch {epoch}: {told[0]}")


def _name(words: Sequence[str]) -> str:
    if "--name" not in words[:-1]:
        raise CnnlabError(f"cnnlab {shlex.join(words)} is to be killed, and needs --name for its run to be found.")
    return words[words.index("--name") + 1]
