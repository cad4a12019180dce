"""What every command has in common: how errors, warnings, notes and interruptions reach a person, and exit codes."""

import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

from cnnlab.cli.loading import announced_loading
from cnnlab.cli.several_processes import speaking_for_all
from cnnlab.cli.usage import explain
from cnnlab.core.errors import CnnlabError, CnnlabWarning
from cnnlab.core.messages import printing_notes
from cnnlab.core.sinks import MOST_SHOWN, for_message, in_short
from cnnlab.training.several_devices.presence import PeerFailedError

_BEGAN = time.monotonic()
FAILURE = 1
INTERRUPTED = 130
_words: ContextVar[tuple[str, ...]] = ContextVar("words", default=())


class StoppedError(Exception):
    """A command that ended by Ctrl-C or SIGTERM; typer would swallow the KeyboardInterrupt itself."""

    def __init__(self, cause: KeyboardInterrupt) -> None:
        super().__init__(str(cause) or "stopped.")
        self.exit_code = int(getattr(cause, "exit_code", INTERRUPTED))


class Program(TyperGroup):
    """The root of all commands: whatever happens below becomes one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that the words name."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise StoppedError(error) from None

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Runs a command line to its exit code, and leaves with it where that is wanted."""
        given = args[0] if args else extra.get("args")
        _words.set(tuple(sys.argv[1:] if given is None else given))
        with printing_notes(), _warnings(), announced_loading():
            words = list(args[0] if args and args[0] is not None else extra.get("args") or sys.argv[1:])
            code = _guarded(lambda: self._run(*args, **extra), words)
        if standalone_mode:
            sys.exit(code)
        return code

    def _run(self, *args: Any, **extra: Any) -> Any:
        with speaking_for_all(_words.get()):
            return super().main(*args, **{**extra, "standalone_mode": False})


def seconds_so_far() -> float:
    """Since the command began, whatever it was at."""
    return time.monotonic() - _BEGAN


def group(help: str) -> typer.Typer:
    """An empty group of commands that shows its help when it is called without one."""
    app = typer.Typer(help=help, rich_markup_mode="markdown")

    @app.callback(invoke_without_command=True, help=help)
    def show_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            text = context.get_help()
            # With rich, the help is printed by the call.
            typer.echo(text, nl=bool(text))

    return app


def complain(text: str) -> None:
    """One paragraph on standard error; of what was typed two hundred letters at most."""
    for word in _words.get():
        for part in (word, word.partition("=")[2]):
            if len(part) > MOST_SHOWN:
                text = text.replace(part, in_short(part))
    print(f"cnnlab: {' '.join(for_message(text).splitlines())}", file=sys.stderr)


def _guarded(command: Callable[[], Any], words: Sequence[str]) -> int:
    """The exit code of a command, its error told; ``words`` are those of its line."""
    try:
        code = command()
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except typer.Exit as error:
        return error.exit_code
    except typer.Abort:
        complain("stopped; nothing was done.")
        return FAILURE
    except PeerFailedError as error:
        if not error.is_told:
            complain(str(error))
        return error.exit_code
    except (CnnlabError, StoppedError) as error:
        complain(str(error))
        return error.exit_code
    except BrokenPipeError:
        _silence(sys.stdout)
        return FAILURE
    except OSError as error:
        complain(f"{in_short(str(error.filename or 'A file'))}: {error.strerror or error}.")
        return FAILURE
    except Exception as error:
        usage = explain(error, words)
        if usage is not None:
            complain(usage)
            return int(getattr(error, "exit_code", FAILURE))
        traceback.print_exc()
        complain("the above is a fault in cnnlab itself, not in what you typed. Please report it with all these lines.")
        return FAILURE


def _silence(stream: TextIO) -> None:
    """Nobody reads on; what is still in the buffer would raise once more when Python leaves."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def _warnings() -> Iterator[None]:
    """A block in which our warnings are one line each, once; others show as Python shows them."""
    told: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", CnnlabWarning)
        others = warnings.showwarning

        def show(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
            if not issubclass(category, CnnlabWarning):
                others(message, category, *place, **more)
            elif str(message) not in told:
                told.add(str(message))
                complain(f"warning: {message}")

        warnings.showwarning = show
        yield
