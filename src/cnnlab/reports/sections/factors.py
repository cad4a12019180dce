"""What each factor does."""

from collections.abc import Iterable

from cnnlab.core.number_text import counted
from cnnlab.reports.contents import factors as contents
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.search import search_metric, search_steps, search_table
from cnnlab.reports.contents.tables import capital, with_unit
from cnnlab.reports.figures import factors as figures
from cnnlab.reports.figures.search import draw_search
from cnnlab.reports.sections.base import Section, SectionFigure, section

_MOST_EFFECTS = 8


@section(60)
def factors(subject: ReportSubject) -> Iterable[Section]:
    """The search, the effect of each factor, and of two together."""
    # With one factor of words, the settings themselves are its effect.
    if subject.unlike:
        return
    effects = contents.effects(subject)
    wanted = [effect for effect in effects if len(subject.result.axes) > 1 or effect.scale != "words"][:_MOST_EFFECTS]
    drawn = [*_search_figures(subject), *(_effect_figure(subject, effect) for effect in wanted)]
    for heat_map in contents.heat_maps(subject):
        drawn.append(_heat_figure(subject, heat_map))
    if drawn:
        yield Section("factors", "What each factor does", figures=tuple(drawn))


def _search_figures(subject: ReportSubject) -> list[SectionFigure]:
    metric, steps = search_metric(subject), search_steps(subject)
    if metric is None or not steps:
        return []
    best = steps[-1].best
    alt = f"{capital(metric.label)} of {counted(len(steps), 'step')} of the search, the best "
    alt += f"{with_unit(best, metric.unit)}."
    caption = "Dots: settings tried, hollow where they were stopped early; line: the best so far."
    table = search_table(subject)
    return [SectionFigure("search", table.title, caption, alt, table, lambda: draw_search(steps, metric))]


def _effect_figure(subject: ReportSubject, effect: contents.Effect) -> SectionFigure:
    metric = subject.metric
    ordered = sorted(effect.levels, key=lambda level: level.mean)
    alt = (
        f"Mean {metric.label} by {effect.axis}, from {with_unit(ordered[0].mean, metric.unit)} at "
        f"{ordered[0].label} to {with_unit(ordered[-1].mean, metric.unit)} at {ordered[-1].label}."
    )
    span = f"{with_unit(effect.span, metric.unit, sign=True).lstrip('+')} from the lowest to the highest mean."
    caption = f"{span} Bar: 95% interval over the seeds. {effect.how}".strip()
    table = contents.effects_table(subject, effect)
    key = f"effect {effect.axis}"
    return SectionFigure(key, effect.axis, caption, alt, table, lambda: figures.draw_effect(subject, effect))


def _heat_figure(subject: ReportSubject, heat_map: contents.HeatMap) -> SectionFigure:
    alt = (
        f"Heat map of mean {subject.metric.label} over {heat_map.rows} and {heat_map.columns}; "
        "the numbers are in the table."
    )
    unit = " in percent" if subject.metric.unit == "share" else ""
    caption = f"Mean {subject.metric.label}{unit}. {heat_map.how}".strip()
    table = contents.heat_map_table(subject, heat_map)
    title = f"{heat_map.rows} and {heat_map.columns}"
    return SectionFigure(table.key, title, caption, alt, table, lambda: figures.draw_heat_map(subject, heat_map))
