"""How sections get into a report."""

import pytest

from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.sections import Section, base, sections_of


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_makers", {})


def test_a_section_registers_itself_and_stands_at_its_place(empty, study):
    @base.section(20)
    def later(subject):
        yield Section("later", "Later")

    @base.section(10)
    def earlier(subject):
        yield Section("one", subject.result.name)
        yield Section("two", "Two")

    @base.section(15)
    def nothing(subject):
        return []

    assert [part.key for part in sections_of(ReportSubject(*study))] == ["one", "two", "later"]


def test_sections_of_other_files_are_not_made(empty, study):
    def asks_for_data(subject):
        raise AssertionError("it was made")

    asks_for_data.__module__ = "cnnlab.reports.sections.mistakes"
    base.section(10)(asks_for_data)

    @base.section(20)
    def here(subject):
        yield base.Section("here", "Here")

    assert [part.key for part in sections_of(ReportSubject(*study), ["test_sections"])] == ["here"]


def test_no_two_sections_take_one_place(empty):
    def first(subject):
        return []

    def second(subject):
        return []

    first.__module__, second.__module__ = "one", "other"
    base.section(10)(first)
    with pytest.raises(ValueError, match="place 10 of a report is taken by one"):
        base.section(10)(second)


def test_a_report_has_the_sections_of_every_file_in_order(study):
    keys = [part.key.partition(" ")[0] for part in sections_of(ReportSubject(*study))]
    order = ("settings", "claims", "comparisons", "published", "curves", "factors", "cost", "classes", "mistakes")
    assert keys == [key for key in order if key in keys] and len(keys) > 5
