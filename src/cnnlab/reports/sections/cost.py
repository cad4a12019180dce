"""What each setting costs."""

from collections.abc import Iterable

from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import capital, listed
from cnnlab.reports.contents.trade_off import trade_off, trade_off_table
from cnnlab.reports.figures.trade_off import draw_trade_off
from cnnlab.reports.sections.base import Section, SectionFigure, section


@section(70)
def cost(subject: ReportSubject) -> Iterable[Section]:
    """The metric against the time that it takes."""
    points = trade_off(subject)
    if len(points) < 2 or subject.unlike:
        return
    untimed, caption = subject.result.untimed, "Names: the keys of the table of settings. " if subject.has_keys else ""
    alt = f"{subject.metric.label} against training time of one run."
    if untimed:
        caption += f"Lines: range of the times, and 95% interval. {capital(untimed)}, so no setting is called quicker."
    else:
        alt += " No other setting is both better and quicker than "
        alt += f"{listed([point.label for point in points if point.is_front])}."
        caption += (
            "Dashed: the Pareto front, of the settings that nothing beats in both (bold). Lines: range of the times, "
            "and 95% interval. Each run was timed alone on one machine."
        )
    title = f"{capital(subject.metric.label)} against training time"
    table = trade_off_table(subject, points)
    figure = SectionFigure(*("trade-off", title, caption, alt, table), draw=lambda: draw_trade_off(subject, points))
    yield Section("cost", "What it costs", figures=(figure,))
