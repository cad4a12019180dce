"""``cnnlab report``."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import destination
from cnnlab.cli.options import DataDir, Json, Runs, runs_so_far

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help="Runs: each a folder, a name, the start of a digest, or `last`.",
        autocompletion=runs_so_far,
        show_default=False,
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out", metavar="DIR|PAGE", parser=destination, help="The folder of the report, or its page: thesis.html."
    ),
]


def report(
    names: Names,
    out: Out = Path("report"),
    runs: Runs = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write one HTML page on RUN, with learning curves, mistakes and what it takes to run it again.

    Of several runs, those whose recipes differ in the seed alone count as repeats, and the others are compared.
    Tables as CSV and LaTeX and figures as SVG and PDF lie beside the page. For a study: cnnlab study report.

        cnnlab report last --out report
    """
    from cnnlab.core.messages import announcing
    from cnnlab.reports import write_runs_report
    from cnnlab.runs import RunStore

    store = RunStore(runs or "runs")
    with announcing("writing the report"):
        path = write_runs_report([store.find(name) for name in names], out, data_dir=data_dir)
    if as_json:
        output.write_json({"report": path})
    else:
        output.write(f"The report lies at {path}")
