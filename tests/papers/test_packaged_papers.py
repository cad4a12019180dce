"""The papers that come with cnnlab: every entry can be meant at each scale, and runs at the smallest."""

from pathlib import Path

import pytest

from cnnlab.core.errors import CnnlabError
from cnnlab.papers import Paper
from cnnlab.papers.carrying_out import carried_out, run_entry
from cnnlab.papers.commands import CommandEntry
from cnnlab.papers.format import SCALES
from cnnlab.papers.paper import packaged_papers
from cnnlab.papers.report import write_paper_report
from cnnlab.papers.studies import StudyEntry

PAPERS = tuple(packaged_papers())
ENTRIES = [(paper, entry) for paper in PAPERS for entry in Paper(paper).entries]


@pytest.mark.parametrize(("paper", "entry"), ENTRIES, ids=[f"{paper}/{entry}" for paper, entry in ENTRIES])
def test_an_entry_can_be_meant_at_every_scale(paper: str, entry: str, tmp_path: Path) -> None:
    opened = Paper(paper, runs=tmp_path, offline=True)
    for scale in SCALES:
        found = carried_out(opened.at(entry, scale))
        if isinstance(found, StudyEntry):
            for part in found.parts:
                assert part.study.study_settings.design
        elif isinstance(found, CommandEntry):
            assert found.commands_left > 0


@pytest.mark.parametrize(
    "paper",
    [pytest.param(paper, marks=pytest.mark.slow(60)) for paper in PAPERS],
)
def test_a_paper_runs_at_the_smallest_scale_and_is_reported(paper: str, tmp_path: Path, data_dir: Path) -> None:
    opened = Paper(paper, runs=tmp_path / "runs", data_dir=data_dir, offline=True)
    faults = []
    for name in opened.entries:
        try:
            result = run_entry(opened.at(name, "smoke"))
        except CnnlabError as error:
            faults.append(f"{paper}/{name}: {error}")
        else:
            faults += [f"{paper}/{name} lacks {text}" for text in result.missing]
    assert not faults, "\n".join(faults)
    page = write_paper_report(opened, "smoke", tmp_path / "page.html")
    assert page.stat().st_size < 5_000_000
    text = page.read_text()
    assert all(entry.file.title.split("'")[0] in text for entry in opened.entries.values())
    assert len(list((tmp_path / "runs" / "papers").glob(f"{paper}-*-smoke/verdict.json"))) == len(opened.entries)


@pytest.mark.parametrize("paper", packaged_papers())
def test_what_is_counted_out_is_judged_by_one_value(paper: str, tmp_path: Path) -> None:
    opened = Paper(paper, runs=tmp_path)
    entries = [carried_out(opened.at(name, "laptop")) for name in opened.entries]
    once = [entry.file for entry in entries if isinstance(entry, CommandEntry) and not entry.differs]
    assert all(number.exact for file in once for number in file.numbers.values())


NO_PHOTOS = {"002/prediction": "a table", "003/filter-images": "what the network makes of noise"}
"""Entries on photos that show none of them, and what they write."""


@pytest.mark.parametrize("paper", packaged_papers())
def test_photos_without_a_licence_to_show_them_are_private(paper: str, tmp_path: Path) -> None:
    opened = Paper(paper, runs=tmp_path)
    for name in opened.entries:
        entry = carried_out(opened.at(name, "laptop"))
        said = entry.file.model_dump_json() if isinstance(entry, CommandEntry) else ""
        if "{out}" in said and ("cifar" in said or "cats-vs-dogs" in said):
            full_name = f"{paper}/{name}"
            assert bool(entry.file.private) is (full_name not in NO_PHOTOS), full_name  # type: ignore[union-attr]


@pytest.mark.parametrize("paper", packaged_papers())
def test_no_sentence_on_what_differs_is_cut_at_a_comma(paper: str) -> None:
    for name, entry in Paper(paper).entries.items():
        for texts in entry.file.deviations.values():
            for text in texts:
                assert not text.startswith(("and ", "by ", "that ", "taken ", "is ", "where ", "whose ")), name
                assert text.count("(") == text.count(")"), name
                assert not text.startswith("000"), name


@pytest.mark.parametrize("scale", ["laptop", "full"])
@pytest.mark.parametrize("paper", packaged_papers())
def test_what_is_timed_shares_no_training_with_what_is_not(paper: str, scale: str, tmp_path: Path) -> None:
    opened = Paper(paper, runs=tmp_path)
    seeds: dict[bool, set[int]] = {True: set(), False: set()}
    for name, entry in opened.entries.items():
        found = carried_out(opened.at(name, scale))
        for part in found.parts if isinstance(found, StudyEntry) else ():
            seeds[entry.file.is_timed] |= set(part.study.study_settings.seeds)
    assert not seeds[True] & seeds[False]
