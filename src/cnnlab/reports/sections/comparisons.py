"""The settings compared with each other."""

from collections.abc import Iterable
from dataclasses import replace

from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.settings import comparisons_table
from cnnlab.reports.contents.tables import Table
from cnnlab.reports.sections.base import Section, section, told_apart


@section(30)
def comparisons(subject: ReportSubject) -> Iterable[Section]:
    """A table a metric; how they were tested is told once where that is the same."""
    tables: tuple[Table, ...] = ()
    for family in subject.result.families:
        if family.comparisons:
            table = comparisons_table(subject, family)
            is_told = any(table.note == other.note for other in tables)
            tables = (*tables, replace(table, note="") if is_told else table)
    if tables:
        yield Section("comparisons", "Comparisons", subject.result.multiplicity, tables=told_apart(tables))
