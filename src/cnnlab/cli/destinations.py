"""Where a command writes to, looked at before it begins its work."""

import os
from pathlib import Path

from cnnlab.core.errors import UsageError
from cnnlab.core.files import user_path


def destination(text: str | Path) -> Path:
    """The path of ``--out``; ``~`` is the user's folder.

    :raises UsageError: for what can be no path, and for a link to a file, which would be replaced or lead elsewhere.
    """
    path = user_path(text)
    if path.is_symlink() and not path.is_dir():
        raise UsageError(
            f"{path} is a link to {os.readlink(path)}. Name the file itself that is to be written, or remove the link."
        )
    return path


def check_file(out: Path | None, what: str, *suffixes: str) -> None:
    """Refuses what can be no file of that kind, or is another one that is there already.

    :param what: is written, as in ``predictions are written as CSV``.
    :param suffixes: that such files have; any is taken where none is given, and so is a name without.
    """
    if out is None:
        return
    if os.path.isdir(out):
        raise UsageError(f"{out} is a folder, and {what} to one file. Name it, as in --out {out / _example(suffixes)}.")
    if not out.suffix and os.path.exists(out):
        raise UsageError(
            f"{out} is there already, and its name says nothing of its kind, so it is not replaced: {what}. Name "
            f"another file, as in --out {_example(suffixes)}."
        )
    if suffixes and out.suffix and out.suffix.lower() not in suffixes:
        raise UsageError(f"{out} does not go with its suffix: {what}. Name it with {suffixes[0]}.")


def _example(suffixes: tuple[str, ...]) -> str:
    return f"new{suffixes[0] if suffixes else '.png'}"
