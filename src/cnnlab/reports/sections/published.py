"""Published numbers beside those measured."""

from collections.abc import Iterable

from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.settings import published_table
from cnnlab.reports.sections.base import Section, section, told_apart


@section(40)
def published(subject: ReportSubject) -> Iterable[Section]:
    """A table a source."""
    tables = told_apart(published_table(subject, source) for source in subject.result.published)
    if tables:
        text = "Each row is judged by itself at the 95% level, apart from what else is tested here."
        yield Section("published", "Published numbers", text, tables=tables)
