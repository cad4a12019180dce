"""What the commands about papers have in common."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.core.errors import UsageError

if TYPE_CHECKING:
    from cnnlab.papers import Paper
    from cnnlab.papers.format import Scale

PaperName = Annotated[
    str,
    typer.Argument(
        metavar="PAPER[/ENTRY]",
        help="A paper, or one of its entries: 001, 001/optimizers, or a folder with paper.yaml: cnnlab paper list.",
        show_default=False,
    ),
]
Keys = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="scale=smoke, laptop or full; further keys are put over the entries (repeats=2, data=FOLDER).",
        show_default=False,
    ),
]
SCALE = "laptop"


def open_paper(name: str, runs: Path | None, data_dir: Path | None, offline: bool) -> "tuple[Paper, list[str]]":
    """The paper, and the names of the entries that are meant."""
    from cnnlab.papers import Paper
    from cnnlab.papers.paper import read_name

    paper_name, entry = read_name(name)
    paper = Paper(paper_name, runs=runs, data_dir=data_dir, offline=offline)
    return paper, list(paper.entries) if entry is None else [paper.entry(entry).name]


def read_keys(words: list[str] | None, device: str | None = None) -> "tuple[Scale, dict[str, Any]]":
    """The scale, and what is put over the entries."""
    from cnnlab.cli.words import read_pairs
    from cnnlab.papers.format import SCALES
    from cnnlab.studies.study_file import spec_text

    keys: dict[str, Any] = {key: spec_text(value) for key, value in read_pairs(words or [], device=device).items()}
    scale = keys.pop("scale", SCALE)
    if scale not in SCALES:
        raise UsageError(f"there is no scale {scale}. The scales are {', '.join(SCALES)}.")
    return scale, keys


def command(verb: str, name: str, scale: str, runs: Path | None, data_dir: Path | None, keys: Mapping[str, Any]) -> str:
    """What to type to have the same paper done something else with."""
    words = ["cnnlab", "paper", verb, name, *([] if scale == SCALE else [f"scale={scale}"])]
    words += [f"{key}={value}" for key, value in keys.items()]
    for option, folder in (("--runs", runs), ("--data-dir", data_dir)):
        words += [] if folder is None else [option, str(folder)]
    return shlex.join(words)
