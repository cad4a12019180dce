"""``cnnlab paper report``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import destination
from cnnlab.cli.options import DataDir, Json, Runs
from cnnlab.cli.paper.options import open_paper, read_keys
from cnnlab.core.errors import UsageError
from cnnlab.core.files import read_regular, reading_errors, user_path

_MOST_TEXT = 1 << 20

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
Packs = Annotated[
    Path | None,
    typer.Option(
        "--packs",
        metavar="FILE|DIR",
        parser=user_path,
        help="Take the results out of what `cnnlab runs export --paper` packed, one file or all of a folder, and leave "
        "the folder of runs alone.",
        show_default=False,
    ),
]
Sentences = Annotated[
    Path | None,
    typer.Option(
        "--sentences",
        metavar="FILE",
        parser=user_path,
        help="Text of your own, a paragraph a line, that is put first on the page that sums up several papers.",
        show_default=False,
    ),
]
Public = Annotated[
    bool,
    typer.Option(
        "--public", help="Leave out the pictures that an entry keeps private, since their data has no licence for it."
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
    packs: Packs = None,
    sentences: Sentences = None,
    public: Public = False,
    as_json: Json = False,
) -> None:
    """Write one HTML page on what was run of a paper: its tables and figures, published beside measured, its claims.

    Of several papers each gets a page, and index.html sums them up.

    cnnlab paper report 001

    cnnlab paper report 000 001 002 003 004 --out docs/papers

    cnnlab paper report 001 --packs 001.tar.xz --out 001.html
    """
    from cnnlab.core.messages import announcing
    from cnnlab.papers import write_paper_report, write_paper_reports
    from cnnlab.runs.record import PAPERS

    names = [word for word in words if "=" not in word]
    scale, keys = read_keys([word for word in words if "=" in word])
    if keys:
        raise UsageError(f"a report is on what was run as it stands; {next(iter(keys))}=… belongs to cnnlab paper run.")
    if not names:
        raise UsageError("which paper? cnnlab paper list has those that come with cnnlab.")
    if len(names) > 1 and out is None:
        raise UsageError("reports on several papers need a folder: --out DIR.")
    if packs is not None and out is None:
        raise UsageError("a report on what was packed needs a place: --out DIR.")
    if sentences is not None and len(names) == 1:
        raise UsageError("sentences stand on the page that sums up several papers; name more than one.")
    said = _paragraphs(sentences)
    with announcing("writing the report"), _unpacked(packs, runs) as place:
        papers = [open_paper(name, place, data_dir, True)[0] for name in names]
        for paper in papers if packs is not None else ():
            if not any((paper.place.runs / PAPERS).glob(f"{paper.id}-*-{scale}")):
                raise UsageError(
                    f"{packs} holds nothing of the paper {paper.id} at the scale {scale}. Pack it where it was run: "
                    f"cnnlab runs export --paper '{paper.id}-*-{scale}' --out {paper.id}.tar.xz"
                )
        if len(papers) > 1 and out is not None:
            path = write_paper_reports(papers, scale, out, sentences=said, public=public)
        else:
            path = write_paper_report(papers[0], scale, out, public=public)
    if as_json:
        output.write_json({"report": path})
    else:
        output.write(f"The report lies at {path}")


@contextmanager
def _unpacked(packs: Path | None, runs: Path | None) -> Iterator[Path | None]:
    """The folder of runs for a block: what was packed, taken out into a folder of its own, or that which is named."""
    if packs is None:
        yield runs
        return
    from tempfile import TemporaryDirectory

    from cnnlab.core.messages import quietly
    from cnnlab.runs import RunStore

    files = sorted(packs.glob("*.tar.xz")) if packs.is_dir() else [packs]
    if not files:
        raise UsageError(f"{packs} holds no packs: cnnlab runs export --paper '001-*' --out {packs / '001.tar.xz'}")
    with TemporaryDirectory(prefix="cnnlab-") as folder:
        with quietly():
            for file in files:
                RunStore(folder).import_pack(file)
        yield Path(folder)


def _paragraphs(path: Path | None) -> list[str]:
    if path is None:
        return []
    with reading_errors():
        content = read_regular(path, _MOST_TEXT)
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text in UTF-8. Save it as such, a paragraph a line.") from error
    return [line.strip() for line in lines if line.strip()]
