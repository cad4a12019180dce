"""A command line carried out in this very process, its words and its answer as values."""

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError, suggestion
from cnnlab.core.hooks import CommandDone, carries_out_commands, checks_commands

_JSON = "--json"


@carries_out_commands
def carry_out(
    words: Sequence[str],
    *,
    runs: Path | None = None,
    data_dir: Path | None = None,
    offline: bool = False,
    device: str | None = None,
) -> CommandDone:
    """Carries a command out, with those of the options that it takes, and ``--json`` where it has that."""
    from cnnlab.cli.app import command_tree
    from cnnlab.cli.program import INTERRUPTED

    program = command_tree()
    taken = _options(program, words)
    given: dict[str, list[str]] = {
        "--runs": [] if runs is None else [str(runs)],
        "--data-dir": [] if data_dir is None else [str(data_dir)],
        "--device": [] if device is None else [device],
    }
    line = list(words)
    for option, values in given.items():
        if option in taken and values and option not in line:
            line += [option, *values]
    flags = [_JSON, *(["--offline"] if offline else []), "--quiet"]
    line += [flag for flag in flags if flag in taken and flag not in line]
    out, complaints = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaints):
        code = program.main(line, standalone_mode=False)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    text = out.getvalue()
    return CommandDone(int(code or 0), text, _read(text) if _JSON in line else None, _last(complaints.getvalue()))


@checks_commands
def refusal(words: Sequence[str]) -> str | None:
    """What is wrong with the words of a command: its name, an option, an argument that is missing; None for nothing."""
    from cnnlab.cli.app import command_tree
    from cnnlab.cli.usage import explain

    command, rest = command_tree(), list(words)
    while (inner := getattr(command, "commands", None)) is not None:
        name = rest.pop(0) if rest else ""
        if name not in inner:
            return (
                f"there is no command {name!r}. {suggestion(name, inner)}" if name else "it names no command of cnnlab."
            )
        command = inner[name]
    try:
        command.make_context(" ".join(["cnnlab", *words[: len(words) - len(rest)]]), rest).close()
    except CnnlabError as error:
        return str(error)
    except Exception as error:
        said = explain(error, words)
        if said is None:
            raise
        return said
    return None


def _options(program: Any, words: Sequence[str]) -> set[str]:
    """The options that the command takes which the words name."""
    command = program
    for word in words:
        inner = getattr(command, "commands", {})
        if word not in inner:
            break
        command = inner[word]
    return {name for parameter in command.params for name in parameter.opts}


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _last(text: str) -> str:
    lines = [line for line in text.replace("\r", "\n").splitlines() if line.startswith("cnnlab: ")]
    return lines[-1].removeprefix("cnnlab: ") if lines else ""
