"""The flags that several commands share, each with one meaning everywhere."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.core.files import user_path


def runs_so_far(context: typer.Context, incomplete: str) -> list[str]:
    """Names of runs, for the shell to complete."""
    from cnnlab.runs import RunStore

    root = context.params.get("runs") or "runs"
    try:
        return ["last", *(summary.folder.name for summary in RunStore(root).list())]
    except Exception:
        # Whatever is wrong with the folder is said when the command itself runs.
        return []


def deleted_runs(context: typer.Context, incomplete: str) -> list[str]:
    """Names of runs that were deleted and not purged, for the shell to complete."""
    from cnnlab.runs import RunStore

    return [folder.name for folder in RunStore(context.params.get("runs") or "runs").deleted()]


Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RECIPE|KEY=VALUE",
        help="A recipe file or recipe:NAME (cnnlab recipes list), and keys put over it; either may be left out. Quote "
        "what holds ( ) or |.",
        show_default=False,
    ),
]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: its folder, its name, the start of its digest, or `last`.",
        autocompletion=runs_so_far,
        show_default=False,
    ),
]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: its folder, its name, the start of its digest, or `last`. Or a classifier's file, or "
        "pretrained:NETWORK.",
        autocompletion=runs_so_far,
        show_default=False,
    ),
]
RunsOrConditions = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN|CONDITION...",
        help="Runs; or conditions as of `cnnlab runs list`, such as study=NAME, for all runs that fit every one.",
        autocompletion=runs_so_far,
        show_default=False,
    ),
]
Runs = Annotated[
    Path | None,
    typer.Option(
        "--runs",
        metavar="DIR",
        envvar="CNNLAB_RUNS",
        parser=user_path,
        help="The folder of runs.",
        show_default="runs",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        parser=user_path,
        help="Where data sets are looked for first; then in the folder that CNNLAB_DATA names.",
        show_default=False,
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never try the network.")]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Results only: no progress, no notes, no advice; warnings and errors still come."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, and nothing else there.")]
Again = Annotated[bool, typer.Option("--again", help="Train another run of a recipe that has one already.")]
Figures = Annotated[
    bool, typer.Option("--figures", help="Put curves.png and confusion.png into the run's folder when it is done.")
]
Quick = Annotated[
    bool,
    typer.Option(
        "--quick", help="Try it out in seconds: one epoch on a few hundred pictures. Such a run says that it was one."
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name", metavar="NAME", help="What to call the run; otherwise its data and model.", show_default=False
    ),
]
Devices = Annotated[
    int | None,
    typer.Option(
        "--devices", metavar="N", min=1, max=1024, help="Go on with so many, a process each.", show_default="as before"
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="DEVICE", help="cpu, cuda, cuda:1, mps; otherwise the best there is.", show_default=False
    ),
]
