"""``cnnlab paper report``."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import destination
from cnnlab.cli.options import DataDir, Json, Runs
from cnnlab.cli.paper.options import Keys, open_paper, read_keys
from cnnlab.core.errors import UsageError

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR|PAGE",
        parser=destination,
        help="The folder, or the page: thesis.html.",
        show_default="papers/PAPER-SCALE in the folder of runs",
    ),
]
Name = Annotated[str, typer.Argument(metavar="PAPER", help="A paper: cnnlab paper list.", show_default=False)]


def report(
    paper: Name,
    words: Keys = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Write one HTML page on what was run of a paper: its tables and figures, published beside measured, its claims."""
    from cnnlab.core.messages import announcing
    from cnnlab.papers.report import write_paper_report

    scale, keys = read_keys(words)
    if keys:
        raise UsageError(f"a report is on what was run as it stands; {next(iter(keys))}=… belongs to cnnlab paper run.")
    opened, _ = open_paper(paper, runs, data_dir, True)
    with announcing("writing the report"):
        path = write_paper_report(opened, scale, out)  # type: ignore[arg-type]
    if as_json:
        output.write_json({"report": path})
    else:
        output.write(f"The report lies at {path}")
