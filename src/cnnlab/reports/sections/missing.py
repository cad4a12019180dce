"""Trials without numbers."""

from collections.abc import Iterable

from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.settings import missing_table
from cnnlab.reports.sections.base import Section, section


@section(100)
def missing(subject: ReportSubject) -> Iterable[Section]:
    """Which they are, and why."""
    table = missing_table(subject)
    if table.rows:
        text = "These trials have no numbers, and are in none of the means. What is left may look better than it is."
        yield Section("missing", "What is missing", text, tables=(table,))
