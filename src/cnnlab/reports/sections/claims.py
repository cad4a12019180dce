"""What became of the claims."""

from collections.abc import Iterable

from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.settings import claims_table
from cnnlab.reports.sections.base import Section, section


@section(20)
def claims(subject: ReportSubject) -> Iterable[Section]:
    """A verdict for each."""
    if subject.result.claims:
        is_told_later = any(family.comparisons for family in subject.result.families)
        text = "" if is_told_later else subject.result.multiplicity
        yield Section("claims", "Claims", text, tables=(claims_table(subject),))
