"""``cnnlab runs delete``, ``restore`` and ``purge``."""

import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json, Runs, RunsOrConditions, deleted_runs
from cnnlab.cli.runs.conditions import fitting
from cnnlab.cli.runs.list import write_table
from cnnlab.core.errors import RunBusyError, UsageError
from cnnlab.core.messages import first_few
from cnnlab.core.number_text import counted
from cnnlab.core.sinks import for_terminal

if TYPE_CHECKING:
    from cnnlab.runs import RunStore

_MOST_ASKED = 10

Deleted = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...", help="Deleted runs, by their folders.", autocompletion=deleted_runs, show_default=False
    ),
]
EvenIfNeeded = Annotated[
    bool, typer.Option("--even-if-needed", help="Members of ensembles too, which then cannot predict without them.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def delete(
    names: RunsOrConditions,
    runs: Runs = None,
    even_if_needed: EvenIfNeeded = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Delete runs and all that belongs to them; asks first. They can be restored until they are purged.

    A member of an ensemble is deleted with the ensemble, or by --even-if-needed.

    cnnlab runs delete last

    cnnlab runs delete study=depth 'test_accuracy<50%'
    """
    from cnnlab.runs import RunStore

    store = RunStore(runs or "runs")
    # Each once, and before any is gone: `last` means another run afterwards.
    folders = _fitting(store, names, is_shown=not yes) or [store.folder_of(name) for name in names]
    folders = list({folder.name: folder for folder in folders}.values())
    if not even_if_needed:
        _refuse_needed(store, folders)
    if not yes:
        listed = ", ".join(folder.name for folder in folders[:_MOST_ASKED])
        listed += f" and {len(folders) - _MOST_ASKED:,} more" if len(folders) > _MOST_ASKED else ""
        what = f"{counted(len(folders), 'run')} ({listed})" if len(folders) > 1 else listed
        typer.confirm(
            f"Delete {for_terminal(what)}, with all that belongs to {_them(len(folders))}?",
            abort=True,
            err=True,
        )
    trashed = [store.delete(folder.name, even_if_needed=True) for folder in folders]
    if as_json:
        output.write_json({"deleted": list(map(str, folders)), "trash": list(map(str, trashed))})
        return
    for folder in folders:
        output.write(f"deleted {folder}")
    named = [folder.name for folder in folders] if len(folders) <= _MOST_ASKED else ["RUN..."]
    output.write(
        f"{_command('restore', named, runs)} has {_them(len(folders))} back; "
        f"{_command('purge', [], runs)} frees the disk."
    )


def _fitting(store: "RunStore", words: list[str], *, is_shown: bool) -> list[Path]:
    """The runs that fit, shown on standard error; empty where no conditions are given.

    :raises UsageError: for names among conditions, and where nothing fits.
    :raises RunBusyError: where some of them are being trained.
    """
    everything = store.list()
    found = fitting(store, words, everything, "Delete")
    busy = [run.name for run in found if run.is_running]
    if busy:
        raise RunBusyError(
            f"{first_few(busy)} {'is' if len(busy) == 1 else 'are'} being trained and cannot be deleted. Stop that "
            "first, or leave them out with state!=running."
        )
    if found and is_shown:
        with redirect_stdout(sys.stderr):
            write_table(found, everything)
    return [run.folder for run in found]


def _refuse_needed(store: "RunStore", folders: Sequence[Path]) -> None:
    """:raises UsageError: where an ensemble that stays needs one of them."""
    needing = {folder.name: _others_that_need(store, folder, folders) for folder in folders}
    if any(needing.values()):
        told = [
            f"{name} is a member of {', '.join(ensembles)}, which cannot predict without it. "
            for name, ensembles in needing.items()
            if ensembles
        ]
        more = f"So are {len(told) - _MOST_ASKED:,} more. " if len(told) > _MOST_ASKED else ""
        raise UsageError(
            "".join(told[:_MOST_ASKED])
            + more
            + "Name the ensemble too for both to be deleted, or write --even-if-needed."
        )


def _others_that_need(store: "RunStore", folder: Path, folders: Sequence[Path]) -> list[str]:
    """Ensembles that need a run and are not to go with it."""
    going = {each.name for each in folders}
    return [name for name in store.needed_by(folder) if name not in going]


def restore(names: Deleted, runs: Runs = None, as_json: Json = False) -> None:
    """Bring deleted runs back, if they were not purged."""
    from cnnlab.runs import RunStore

    store = RunStore(runs or "runs")
    folders = [store.restore(name) for name in dict.fromkeys(names)]
    if as_json:
        output.write_json({"restored": list(map(str, folders))})
    else:
        for folder in folders:
            output.write(f"restored {folder}")


def purge(runs: Runs = None, yes: Yes = False, as_json: Json = False) -> None:
    """Remove all deleted runs for good; asks first."""
    from cnnlab.runs import RunStore

    store = RunStore(runs or "runs")
    names = [folder.name for folder in store.deleted()]
    if names and not yes:
        typer.confirm(f"Remove {for_terminal(', '.join(names))} for good?", abort=True, err=True)
    store.purge()
    if as_json:
        output.write_json({"purged": names})
    else:
        output.write("\n".join(f"purged {name}" for name in names) or f"There are no deleted runs under {store.root}.")


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _command(verb: str, names: list[str], runs: Path | None) -> str:
    return shlex.join(["cnnlab", "runs", verb, *names, *([] if runs is None else ["--runs", str(runs)])])
