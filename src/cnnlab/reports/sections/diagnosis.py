"""Trainings that learned nothing."""

from collections.abc import Iterable

from cnnlab.reports.contents.diagnosis import diagnosis_table
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.sections.base import Section, section


@section(12)
def diagnosis(subject: ReportSubject) -> Iterable[Section]:
    """Which they are, and what was seen of them when they ended."""
    table = diagnosis_table(subject)
    if table.rows:
        text = (
            "These trainings did no better than one answer for all pictures, or diverged. Their numbers say that they "
            "were not carried out well, and little of what is compared."
        )
        yield Section("diagnosis", "What learned nothing", text, tables=(table,))
