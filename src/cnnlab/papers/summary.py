"""The page that sums up several papers: how many claims and numbers came to what, which did not, and why."""

from collections import Counter
from collections.abc import Iterator, Sequence
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
_WORDS = ("reproduced", "compatible", "better", "worse", "undecided", "not comparable", "not measured")
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
            tables=[table for table in (*_counts(papers, found), _contradicted(found), _reasons(found)) if table.rows],
            style=page_file("report.css"),
            script=page_file("report.js"),
            swatch_of=lambda key: ("", ""),
            folder=".",
            version=__version__,
        )
    )
    write_text(folder / INDEX, for_markup(SPACES.sub("\n", text)))
    return folder / INDEX


def _counts(papers: Sequence[Paper], found: Found) -> Iterator[Table]:
    """A row a paper and one of all: how many of its claims, and of its numbers, came to what."""
    groups = [
        (f"{paper.id}: {paper.file.title}", len(paper.entries), [result for of, _, result in found if of is paper])
        for paper in papers
    ]
    if len(papers) > 1:
        groups.append((_ALL, sum(len(paper.entries) for paper in papers), [result for _, _, result in found]))
    claims = [(name, f"{len(of)} of {count}", *_row(verdicts(of), _VERDICTS)) for name, count, of in groups]
    yield Table("claims", "Claims, paper by paper", _columns("paper", "entries run", counts=_VERDICTS), tuple(claims))
    numbers = [(name, *_row(words(of), _WORDS)) for name, _, of in groups]
    yield Table("numbers", "Published numbers, paper by paper", _columns("paper", counts=_WORDS), tuple(numbers))


def _row(counted: Counter[str], names: Sequence[str]) -> tuple[int, ...]:
    return tuple(counted[name] for name in names)


def _columns(*names: str, counts: Sequence[str]) -> tuple[TableColumn, ...]:
    texts = [TableColumn(name.replace(" ", "_"), name) for name in names]
    return (*texts, *(TableColumn(name.replace(" ", "_"), name, "count") for name in counts))


def _contradicted(found: Found) -> Table:
    rows = tuple(
        (
            at.entry.full_name,
            f"{claim.says} ({claim.part})" if claim.part else claim.says,
            " and ".join(claim.rules),
            claim.why,
            "; ".join(text.rstrip(".") for text in result.deviations) or None,
        )
        for _, at, result in found
        for claim in result.claims
        if claim.verdict == "contradicted"
    )
    heads = (
        ("entry", "entry"),
        ("claim", "the paper says"),
        ("rule", "judged as"),
        ("why", "why"),
        ("deviations", "what differs from the paper"),
    )
    return Table("contradicted", "Claims that are contradicted", tuple(TableColumn(*head) for head in heads), rows)


def _reasons(found: Found) -> Table:
    """Why numbers stand beside one another and are not compared: what the entry says, or else of each number."""
    rows = []
    for _, at, result in found:
        file, count = at.entry.file, words([result])["not comparable"]
        if count:
            own = [number.reason or "" for number in result.numbers if number.word == "not comparable"]
            reasons = file.at(file.not_comparable, at.scale) or tuple(dict.fromkeys(own))
            rows.append((at.entry.full_name, count, "; ".join(reasons)))
    columns = (TableColumn("entry", "entry"), TableColumn("numbers", "numbers", "count"), TableColumn("why", "why"))
    return Table("reasons", "Numbers that are not comparable, and why", columns, tuple(rows))
