"""Published experiments that anybody can run again: a folder a paper, a file for each of its tables and figures.

Five papers come with cnnlab; :class:`Paper` opens those and folders of one's own.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.papers.paper import Paper as Paper
    from cnnlab.papers.report import write_paper_report as write_paper_report
    from cnnlab.papers.summary import write_paper_reports as write_paper_reports

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {"paper": ("Paper",), "report": ("write_paper_report",), "summary": ("write_paper_reports",)},
)
