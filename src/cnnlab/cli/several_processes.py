"""One command line carried out by several processes at once, as ``torchrun`` starts them: one voice, one error."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout

import typer

from cnnlab.core.errors import UsageError
from cnnlab.training.several_devices.presence import LOG_LEVEL, is_first, is_one_of_several

_COMMANDS = ("train", "resume", "extend")


@contextmanager
def speaking_for_all(words: Sequence[str]) -> Iterator[None]:
    """A block in which only the first process prints, and the first to fail says why.

    :param words: of the command line.
    :raises UsageError: for a command that is for one process.
    """
    if not is_one_of_several():
        yield
        return
    os.environ.setdefault(LOG_LEVEL, "ERROR")
    with ExitStack() as stack:
        if not is_first():
            nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(redirect_stdout(nowhere))
            stack.enter_context(redirect_stderr(nowhere))
        from cnnlab.training.several_devices.roles import joined

        group = joined()
        stack.enter_context(group.failing_together(spared=(typer.Exit, typer.Abort)))
        command = next((word for word in words if not word.startswith("-")), None)
        if command is not None and command not in _COMMANDS:
            raise UsageError(
                f"{group.size} processes were started to carry out cnnlab {command}, and only {', '.join(_COMMANDS)} "
                "divide their work. Run it without torchrun."
            )
        yield
