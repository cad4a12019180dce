"""Results of papers that are committed: packs of which reports are made without training anything again."""

import html
import json
import re
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.papers import Paper
from cnnlab.papers.carrying_out import stored_result
from cnnlab.papers.paper import packaged_papers
from cnnlab.runs import RunStore

PAPERS = Path(__file__).parents[2] / "docs" / "papers"
PACKS = sorted(PAPERS.glob("*.tar.xz"))
PLACE = re.compile(rb"""["' ](/[\w.-]+/[\w.-]|[A-Za-z]:\\\\)""")
"""Where a file lies on some machine."""


NUMBER = re.compile(r"[−+]?\d+(?:,\d{3})*(?:\.\d+)?")


def test_each_paper_has_a_pack_and_a_page() -> None:
    names = list(packaged_papers())
    assert [pack.name for pack in PACKS] == [f"{name}.tar.xz" for name in names]
    assert sorted(page.stem for page in PAPERS.glob("*.html")) == [*names, "index"]


def test_the_committed_pages_are_fit_for_others_and_sum_up_what_the_packs_hold() -> None:
    assert_fit_for_others(PAPERS)
    assert counted_on(PAPERS / "index.html") == counted_in(PACKS)
    index = (PAPERS / "index.html").read_text("utf-8")
    # Nothing is contradicted, or not compared, for no reason.
    assert 'data-value=""' not in index[index.index('<section id="contradicted">') :]


def test_ten_sentences_sum_up_and_every_number_in_them_stands_on_a_page() -> None:
    sentences = [line for line in (PAPERS / "sentences.txt").read_text("utf-8").splitlines() if line]
    assert len(sentences) == 10
    index = (PAPERS / "index.html").read_text("utf-8")
    assert all(f"<li>{sentence}</li>" in html.unescape(index) for sentence in sentences)
    # Of the page that sums up without the sentences, and of those of the papers.
    texts = [index[: index.index('<section id="sentences">')] + index[index.index('<section id="claims">') :]]
    texts += [page.read_text("utf-8") for page in PAPERS.glob("0*.html")]
    shown = {number for text in texts for number in NUMBER.findall(html.unescape(re.sub(r"<[^>]+>", " ", text)))}
    stated = {number for sentence in sentences for number in NUMBER.findall(re.sub(r"\b00\d\b", "", sentence))}
    assert stated <= shown, stated - shown


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_a_committed_pack_holds_every_entry_whole_and_nothing_that_is_not_for_others(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pack.stat().st_size < 3_000_000
    with tarfile.open(pack) as packed:
        for member in packed:
            if member.name.endswith((".json", ".yaml", ".csv")):
                file = packed.extractfile(member)
                assert file is not None
                assert not PLACE.search(file.read()), member.name
    RunStore(tmp_path).import_pack(pack)
    # An entry that was changed since would be judged anew, which asks for its data.
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "none"))
    paper = Paper(pack.name.partition(".")[0], runs=tmp_path, offline=True)
    for name in paper.entries:
        at = paper.at(name)
        result = stored_result(at)
        assert result is not None and result.is_whole, name
        shown = {picture: (at.folder / picture).is_file() for picture in result.pictures}
        assert {picture for picture, is_there in shown.items() if not is_there} == set(result.private), name


@pytest.mark.slow(60)
def test_of_the_packs_alone_all_pages_are_made_and_the_counts_of_the_one_that_sums_up_are_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "none"))
    papers = [pack.name.partition(".")[0] for pack in PACKS]
    words = ["paper", "report", *papers, "--packs", str(PAPERS), "--public", "--out", str(tmp_path / "pages")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert_fit_for_others(tmp_path / "pages")
    assert counted_on(tmp_path / "pages" / "index.html") == counted_in(PACKS)


def assert_fit_for_others(pages: Path) -> None:
    for page in pages.glob("*.html"):
        assert page.stat().st_size < 5_000_000
        assert not PLACE.search(page.read_bytes()), page.name


def counted_in(packs: list[Path]) -> Counter[str]:
    """Entries, verdicts on claims and words on numbers, by what the packed verdicts say."""
    counted: Counter[str] = Counter()
    for pack in packs:
        paper = pack.name.partition(".")[0]
        with tarfile.open(pack) as packed:
            for member in packed:
                if member.name.startswith("papers/") and member.name.endswith("/verdict.json"):
                    file = packed.extractfile(member)
                    assert file is not None
                    told = json.loads(file.read())
                    counted.update(told["verdicts"])
                    counted.update(f"number {n['word']}" for n in told["numbers"] if n["published"] is not None)
                    counted["entries run"] += 1
        counted["entries"] += len(Paper(paper).entries)
    return counted


def counted_on(page: Path) -> Counter[str]:
    """The same, by the last rows of the tables of the page that sums up."""
    counted: Counter[str] = Counter()
    tables = re.findall(r"<table.*?</table>", page.read_text(), re.DOTALL)
    for table, what in zip(tables[:2], ("", "number "), strict=True):
        heads = [re.sub("<.*?>", "", head) for head in re.findall(r"<th scope=\"col\".*?</th>", table)]
        cells = re.findall(r'data-value="([^"]*)"', table[table.rindex("<tr>") :])
        assert cells[0] == "all"
        for head, cell in zip(heads[1:], cells[1:], strict=True):
            if head == "entries run":
                counted["entries run"], counted["entries"] = (int(part) for part in cell.split(" of "))
            elif float(cell):
                counted[what + head] = int(float(cell))
    return counted
