"""``cnnlab runs delete``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json, Runs, runs_so_far

if TYPE_CHECKING:
    from cnnlab.runs import Run, RunStore, RunSummary

Names = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help="One or more runs.", autocompletion=runs_so_far, show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def delete(names: Names, runs: Runs = None, yes: Yes = False, as_json: Json = False) -> None:
    """Delete runs and all that belongs to them; asks first."""
    from cnnlab.runs import RunStore

    store = RunStore(runs or "runs")
    chosen = _resolved(store, names)
    if not yes:
        listed = ", ".join(run.folder.name for run in chosen)
        typer.confirm(f"Delete {listed}, with all that belongs to it?", abort=True, err=True)
    for run in chosen:
        store.delete(run)
    if as_json:
        output.write_json({"deleted": [str(run.folder) for run in chosen]})
    else:
        for run in chosen:
            output.write(f"deleted {run.folder}")


def _resolved(store: "RunStore", names: Sequence[str]) -> "list[Run | RunSummary]":
    """The runs meant, each once, before any is gone: ``last`` means another run afterwards."""
    # A damaged run is not found, for it cannot be read; by the name of its folder it can be deleted all the same.
    listed = {summary.folder.name: summary for summary in store.list()}
    meant = [listed[name] if name in listed else store.find(name) for name in names]
    return list({run.folder.resolve(): run for run in meant}.values())
