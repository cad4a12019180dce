"""``cnnlab runs delete``, ``restore`` and ``purge``."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json, Runs, deleted_runs, runs_so_far
from cnnlab.core.errors import UsageError
from cnnlab.core.sinks import for_terminal

if TYPE_CHECKING:
    from cnnlab.runs import RunStore

Names = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help="One or more runs.", autocompletion=runs_so_far, show_default=False),
]
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
    names: Names, runs: Runs = None, even_if_needed: EvenIfNeeded = False, yes: Yes = False, as_json: Json = False
) -> None:
    """Delete runs and all that belongs to them; asks first. They can be restored until they are purged.

    A member of an ensemble is deleted with the ensemble, or by --even-if-needed.
    """
    from cnnlab.runs import RunStore

    store = RunStore(runs or "runs")
    # Each once, and before any is gone: `last` means another run afterwards.
    folders = list({folder.name: folder for folder in map(store.folder_of, names)}.values())
    needing = {folder.name: _others_that_need(store, folder, folders) for folder in folders}
    if any(needing.values()) and not even_if_needed:
        raise UsageError(
            "".join(
                f"{name} is a member of {', '.join(ensembles)}, which cannot predict without it. "
                for name, ensembles in needing.items()
                if ensembles
            )
            + "Name the ensemble too for both to be deleted, or write --even-if-needed."
        )
    if not yes:
        listed = ", ".join(folder.name for folder in folders)
        typer.confirm(f"Delete {for_terminal(listed)}, with all that belongs to it?", abort=True, err=True)
    trashed = [store.delete(folder.name, even_if_needed=True) for folder in folders]
    if as_json:
        output.write_json({"deleted": list(map(str, folders)), "trash": list(map(str, trashed))})
        return
    for folder in folders:
        output.write(f"deleted {folder}")
    output.write(
        f"{_command('restore', [folder.name for folder in folders], runs)} has {_them(len(folders))} back; "
        f"{_command('purge', [], runs)} frees the disk."
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
