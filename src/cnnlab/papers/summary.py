"""The page that sums up several papers: how many claims and numbers came to what, which did not, and why."""

from collections.abc import Sequence
from pathlib import Path

from cnnlab.core.files import make_folder, write_text
from cnnlab.core.sinks import for_markup
from cnnlab.core.version import __version__
from cnnlab.papers.carrying_out import stored_result
from cnnlab.papers.entry import EntryAt
from cnnlab.papers.format import Scale
from cnnlab.papers.paper import Paper
from cnnlab.papers.report import SPACES, answer, write_paper_report
from cnnlab.papers.result import EntryResult, verdicts, words
from cnnlab.reports.contents.tables import Table, TableColumn
from cnnlab.reports.writing.page import page_environment, page_file

INDEX = "index.html"
_VERDICTS = ("supported", "contradicted", "undecided", "not judged")
_WORDS = ("reproduced", "compatible", "better", "worse", "not comparable", "not measured")
_ALL = "all"

Found = Sequence[tuple[Paper, EntryAt, EntryResult]]


def write_paper_reports(
    papers: Sequence[Paper], scale: Scale, out: Path, *, sentences: Sequence[str] = (), public: bool = False
) -> Path:
    """Writes the report on each of several papers into a folder, and ``index.html`` that sums them up; returns that.

    :param sentences: of one's own, put first on that page: what is to be taken from it.
    :param public: leaves out the pictures that entries keep private.
    :raises UsageError: where nothing was run yet of one of them.
    """
    folder = make_folder(out)
    for paper in papers:
        write_paper_report(paper, scale, folder / f"{paper.id}.html", public=public)
    found = [
        (paper, at, result)
        for paper in papers
        for entry in paper.entries.values()
        if (result := stored_result(at := entry.at(scale, paper.place))) is not None
    ]
    text = (
        page_environment()
        .get_template("papers.html")
        .render(
            papers=papers,
            scale=scale,
            answer=answer([result for _, _, result in found]),
            sentences=sentences,
            tables=[table for table in (_counts(papers, found), _contradicted(found), _reasons(found)) if table.rows],
            style=page_file("report.css"),
            script=page_file("report.js"),
            swatch_of=lambda key: ("", ""),
            folder=".",
            version=__version__,
        )
    )
    write_text(folder / INDEX, for_markup(SPACES.sub("\n", text)))
    return folder / INDEX


def _counts(papers: Sequence[Paper], found: Found) -> Table:
    """A row a paper and one of all: how many of its claims and numbers came to what."""
    rows = []
    for paper in papers:
        results = [result for of, _, result in found if of is paper]
        rows.append((f"{paper.id}: {paper.file.title}", f"{len(results)} of {len(paper.entries)}", *_row(results)))
    if len(papers) > 1:
        count = sum(len(paper.entries) for paper in papers)
        rows.append((_ALL, f"{len(found)} of {count}", *_row([result for _, _, result in found])))
    columns = [TableColumn("paper", "paper"), TableColumn("entries", "entries run")]
    columns += [TableColumn(word.replace(" ", "_"), word, "count") for word in (*_VERDICTS, *_WORDS)]
    return Table("papers", "Claims, then numbers, paper by paper", tuple(columns), tuple(rows))


def _row(results: Sequence[EntryResult]) -> tuple[int, ...]:
    claims, numbers = verdicts(results), words(results)
    return (*(claims[word] for word in _VERDICTS), *(numbers[word] for word in _WORDS))


def _contradicted(found: Found) -> Table:
    rows = tuple(
        (at.entry.full_name, f"{claim.says} ({claim.part})" if claim.part else claim.says, claim.why)
        for _, at, result in found
        for claim in result.claims
        if claim.verdict == "contradicted"
    )
    heads = (("entry", "entry"), ("claim", "the paper says"), ("why", "why"))
    return Table("contradicted", "Claims that are contradicted", tuple(TableColumn(*head) for head in heads), rows)


def _reasons(found: Found) -> Table:
    """Why numbers stand beside one another and are not compared."""
    rows = []
    for _, at, result in found:
        file, count = at.entry.file, words([result])["not comparable"]
        if count:
            rows.append((at.entry.full_name, count, "; ".join(file.at(file.not_comparable, at.scale)) or None))
    columns = (TableColumn("entry", "entry"), TableColumn("numbers", "numbers", "count"), TableColumn("why", "why"))
    return Table("reasons", "Numbers that are not comparable, and why", columns, tuple(rows))
