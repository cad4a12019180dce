"""The C compiler of this machine: found, run within a limit, and not run again soon where it took long and failed."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cnnlab.core.errors import StorageError
from cnnlab.core.files import write_text

# It takes one or two, on a machine with nothing else to do.
_PATIENCE = 30
# A failure that took longer is remembered, for every process would spend as long; one that is quick may be mended soon,
# as by installing what is missing.
_SOON = 2.0
_SECONDS_REMEMBERED = 24 * 3600


class NativeError(Exception):
    """Why there are no kernels of our own here; the text is a part of a sentence."""


def find_compiler() -> list[str]:
    """The command, with the words that ``CC`` has after it.

    :raises NativeError: where there is none.
    """
    for command in (os.environ.get("CC", "").split(), ["cc"], ["gcc"], ["clang"]):
        path = shutil.which(command[0]) if command else None
        if path is not None:
            return [path, *command[1:]]
    raise NativeError("there is no C compiler on the path (gcc or clang)")


def compiler_file(compiler: Sequence[str]) -> list[object]:
    """What changes when another compiler is installed in its place, told without running it."""
    path = Path(compiler[0]).resolve()
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]


def run_compiler(command: Sequence[str]) -> str:
    """What a command of the compiler writes to standard output.

    :raises NativeError: when it cannot be run, fails, or takes too long.
    """
    pipe = subprocess.PIPE
    try:
        # A session of its own: what the compiler has started ends with it, and would else hold the pipes open.
        process = subprocess.Popen(
            command, stdout=pipe, stderr=pipe, text=True, errors="replace", start_new_session=True
        )
    except OSError as error:
        raise NativeError(f"{command[0]} could not be run ({error})") from error
    try:
        output, errors = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise NativeError(f"{command[0]} took more than {_PATIENCE} s") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode:
        said = errors.strip().splitlines() or [f"exit status {process.returncode}"]
        # What stands before the first error says where it was included from.
        raise NativeError(f"{command[0]} failed ({next((line for line in said if 'error' in line), said[0])})")
    return output


@contextmanager
def remembered_failure(place: Path) -> Iterator[None]:
    """A block that is left at once, with the same reason, for a day after it took long and failed.

    :param place: the file that holds the reason.
    :raises NativeError: with what it fails of, or failed of before.
    """
    known = _recall(place)
    if known is not None:
        raise NativeError(f"{known} when last tried, which is done again after a day or once {place} is deleted")
    began = time.monotonic()
    try:
        yield
    except NativeError as error:
        if time.monotonic() - began > _SOON:
            with suppress(OSError, StorageError):
                write_text(place, str(error))
        raise


def _recall(place: Path) -> str | None:
    try:
        is_recent = 0 <= time.time() - place.stat().st_mtime < _SECONDS_REMEMBERED
        return place.read_text(encoding="utf-8") if is_recent else None
    except (OSError, ValueError):
        return None
