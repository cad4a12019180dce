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
    front = [point.label for point in points if point.is_front]
    alt = f"{subject.metric.label} against training time of one run. No other setting is both better and quicker than "
    alt += f"{listed(front)}."
    at_once = int(subject.result.execution.get("trials_at_once") or 1)
    caption = "Names: the keys of the table of settings. " if subject.has_keys else ""
    caption += (
        "Dashed: the Pareto front, of the settings that nothing beats in both (bold). Lines: range of the times, and "
        "95% interval."
    )
    caption += f" {at_once} trainings ran at a time, so each took longer than by itself." if at_once > 1 else ""
    title = f"{capital(subject.metric.label)} against training time"
    table = trade_off_table(subject, points)
    figure = SectionFigure(
        *("trade-off", title, caption, alt, table), draw=lambda: draw_trade_off(subject, points, subject.colours)
    )
    yield Section("cost", "What it costs", figures=(figure,))
