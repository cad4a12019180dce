"""``cnnlab study report``."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import destination
from cnnlab.cli.options import DataDir, Json, Offline, Quick, Runs
from cnnlab.cli.study.options import Keys, StudyName, load_study

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR|PAGE",
        parser=destination,
        help="The folder, or the page: thesis.html.",
        show_default="report/ in the study's folder",
    ),
]


def report(
    study: StudyName,
    words: Keys = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    out: Out = None,
    offline: Offline = False,
    quick: Quick = False,
    as_json: Json = False,
) -> None:
    """Write what a study found as one HTML page, with its tables and figures beside it."""
    from cnnlab.cli.words import tried_quickly
    from cnnlab.core.messages import announcing
    from cnnlab.reports import write_study_report

    loaded = load_study(study, tried_quickly(words, quick), runs, data_dir, offline)
    with announcing("writing the report"):
        path = write_study_report(loaded.result(), loaded.runs(), out or loaded.folder / "report", data_dir=data_dir)
    if as_json:
        output.write_json({"report": path})
    else:
        output.write(f"The report lies at {path}")
