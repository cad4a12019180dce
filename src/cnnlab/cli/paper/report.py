"""``cnnlab paper report``."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import destination
from cnnlab.cli.options import DataDir, Json, Runs
from cnnlab.cli.paper.options import open_paper, read_keys
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
Words = Annotated[
    list[str],
    typer.Argument(
        metavar="PAPER... [scale=SCALE]",
        help="A paper, or several: cnnlab paper list. And smoke, laptop or full, laptop unless it is given.",
        show_default=False,
    ),
]


def report(
    words: Words,
    runs: Runs = None,
    data_dir: DataDir = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Write one HTML page on what was run of a paper: its tables and figures, published beside measured, its claims.

    Of several papers each gets a page, and index.html sums them up.

    cnnlab paper report 001

    cnnlab paper report 000 001 002 003 004 --out docs/papers
    """
    from cnnlab.core.messages import announcing
    from cnnlab.papers.report import write_paper_report, write_paper_reports

    names = [word for word in words if "=" not in word]
    scale, keys = read_keys([word for word in words if "=" in word])
    if keys:
        raise UsageError(f"a report is on what was run as it stands; {next(iter(keys))}=… belongs to cnnlab paper run.")
    if not names:
        raise UsageError("which paper? cnnlab paper list has those that come with cnnlab.")
    papers = [open_paper(name, runs, data_dir, True)[0] for name in names]
    if len(papers) > 1 and out is None:
        raise UsageError("reports on several papers need a folder: --out DIR.")
    with announcing("writing the report"):
        if len(papers) > 1 and out is not None:
            path = write_paper_reports(papers, scale, out)
        else:
            path = write_paper_report(papers[0], scale, out)
    if as_json:
        output.write_json({"report": path})
    else:
        output.write(f"The report lies at {path}")
