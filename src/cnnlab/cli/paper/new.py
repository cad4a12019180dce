"""``cnnlab paper new``."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json
from cnnlab.core.files import user_path

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER", parser=user_path, help="The folder to write; it becomes the paper's id.", show_default=False
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


def new(folder: Folder, blank: Blank = None, as_json: Json = False) -> None:
    """Write a folder to fill in: a paper of one's own, or the sheet of a course.

    cnnlab paper new my-report

    cnnlab paper new sheet --blank 001
    """
    from cnnlab.papers import Paper
    from cnnlab.papers.sheets import blank_sheet, new_paper

    written = new_paper(folder) if blank is None else blank_sheet(Paper(blank), folder)
    if as_json:
        output.write_json({"paper": written})
        return
    output.write(f"Written: {written}")
    output.advise("next", [f"cnnlab paper show {folder}", f"cnnlab paper run {folder} scale=smoke"])
