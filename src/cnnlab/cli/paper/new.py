"""``cnnlab paper new``."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json
from cnnlab.core.errors import UsageError
from cnnlab.core.files import user_path

Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="FOLDER",
        parser=user_path,
        help="The folder to write; it becomes the paper's id.",
        show_default="PAPER-sheet with --blank",
    ),
]
Blank = Annotated[
    str | None,
    typer.Option(
        "--blank",
        metavar="PAPER",
        help="A sheet for a course: the entries of that paper without its numbers, claims and findings.",
        show_default=False,
    ),
]


def new(folder: Folder = None, blank: Blank = None, as_json: Json = False) -> None:
    """Write a folder to fill in: a paper of one's own, or the sheet of a course.

    cnnlab paper new my-report

    cnnlab paper new --blank 001
    """
    from cnnlab.papers import Paper
    from cnnlab.papers.sheets import blank_sheet, new_paper

    if blank is not None:
        written = blank_sheet(Paper(blank), folder)
    elif folder is not None:
        written = new_paper(folder)
    else:
        raise UsageError("which folder shall be written? As in cnnlab paper new my-report.")
    if as_json:
        output.write_json({"paper": written})
        return
    output.write(f"Written: {written}")
    place = shlex.quote(str(written.parent))
    output.advise("next", [f"cnnlab paper show {place}", f"cnnlab paper run {place} scale=smoke"])
