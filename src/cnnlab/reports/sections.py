"""What a report shows, in which order: sections of tables and of pictures, each with its table and its words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlab.reports.contents import classes as of_classes
from cnnlab.reports.contents import curves as of_curves
from cnnlab.reports.contents import factors as of_factors
from cnnlab.reports.contents import numbers as of_numbers
from cnnlab.reports.contents import search as of_search
from cnnlab.reports.contents import settings as of_settings
from cnnlab.reports.contents import trade_off as of_cost
from cnnlab.reports.contents.mistakes import Gallery, farthest_off, gallery
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import Table, capital, counted, listed, with_unit
from cnnlab.reports.figures import classes as class_figures
from cnnlab.reports.figures import curves as curve_figures
from cnnlab.reports.figures import factors as factor_figures
from cnnlab.reports.figures import numbers as number_figures
from cnnlab.reports.figures import settings as setting_figures
from cnnlab.reports.figures.search import draw_search
from cnnlab.reports.figures.trade_off import draw_trade_off

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_EFFECTS = 8
_LEAVING = " Where a line leaves the picture, its values lie beyond the axis, so that the others can be told apart."
_CLOSE = 0.005
"""Mean confidence and accuracy that differ by less than half a point are called alike."""


@dataclass(frozen=True)
class SectionFigure:
    """A figure with all that goes with it.

    :param alt: what it shows, for those who cannot see it.
    :param table: its numbers.
    """

    key: str
    title: str
    caption: str
    alt: str
    table: Table
    draw: "Callable[[], Figure]"


@dataclass(frozen=True)
class Section:
    """A part of a report.

    :param key: by which it is linked to.
    :param text: what a reader should know first.
    :param files: tables that are written to files alone.
    """

    key: str
    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    figures: tuple[SectionFigure, ...] = ()
    gallery: Gallery | None = None
    files: tuple[Table, ...] = field(default=())


def sections(subject: ReportSubject, data_dir: Path | None = None) -> tuple[Section, ...]:
    """Of all that there is something to say on."""
    parts = (
        _settings(subject),
        _claims(subject),
        _comparisons(subject),
        _published(subject),
        _curves(subject),
        _factors(subject),
        _cost(subject),
        *_best(subject, data_dir),
        _missing(subject),
    )
    return tuple(section for section in parts if section is not None)


def _settings(subject: ReportSubject) -> Section:
    table = of_settings.settings_table(subject)
    published = of_settings.published_values(subject)
    drawn = setting_figures.drawn_settings(subject)
    if not drawn:
        return Section("settings", "Settings", tables=(table,), files=(of_settings.trials_table(subject),))
    left = len(subject.ranked) - len(drawn)
    parts = [f"Names: {what}."] if (what := _naming(subject)) else []
    parts += ["Large dot: mean; bar: 95% interval; small dots: single trainings."]
    parts += ["Diamond: published."] if published else []
    parts += [f"The other {left} settings are in the table."] if left else []
    ends = [
        f"{subject.label(setting.key)} at {with_unit(subject.mean(setting), subject.metric.unit)}"
        for setting in (drawn[0], drawn[-1])
    ]
    alt = (
        f"Means of {subject.metric.label} with 95% intervals of {counted(len(drawn), 'setting')}, the best on top: "
        f"{', down to '.join(dict.fromkeys(ends))}."
    )
    figure = SectionFigure(
        *("settings", f"{capital(subject.metric.label)} by setting", " ".join(parts), alt, table),
        draw=lambda: setting_figures.draw_settings(subject, published),
    )
    files = (of_settings.trials_table(subject),)
    return Section("settings", "Settings", tables=(table,), figures=(figure,), files=files)


def _naming(subject: ReportSubject) -> str:
    """What the names in figures are; empty where they speak for themselves."""
    several = [axis.name for axis in subject.result.axes if len(axis.values) > 1]
    words = ["the key of the table"] if subject.has_keys else []
    if subject.is_called_by_values:
        words.append(" · ".join(several))
    elif len(several) == 1 and any(subject.label(setting.key) != setting.label for setting in subject.result.settings):
        words.append(several[0])
    return ", then ".join(words)


def _claims(subject: ReportSubject) -> Section | None:
    if not subject.result.claims:
        return None
    return Section("claims", "Claims", tables=(of_settings.claims_table(subject),))


def _comparisons(subject: ReportSubject) -> Section | None:
    families = [family for family in subject.result.families if family.comparisons]
    tables: tuple[Table, ...] = ()
    for family in families:
        table = of_settings.comparisons_table(subject, family)
        is_told = any(table.note == other.note for other in tables)
        tables = (*tables, replace(table, note="") if is_told else table)
    return Section("comparisons", "Comparisons", tables=_told_apart(tables)) if tables else None


def _told_apart(tables: Iterable[Table]) -> tuple[Table, ...]:
    """Each under a key of its own: two sources may have published the same metric."""
    distinct: list[Table] = []
    for table in tables:
        same = sum(earlier.key.startswith(table.key) for earlier in distinct)
        distinct.append(replace(table, key=f"{table.key} {same + 1}") if same else table)
    return tuple(distinct)


def _published(subject: ReportSubject) -> Section | None:
    tables = _told_apart(of_settings.published_table(subject, source) for source in subject.result.published)
    return Section("published", "Published numbers", tables=tables) if tables else None


def _curves(subject: ReportSubject) -> Section | None:
    curves, metrics = of_curves.setting_curves(subject), of_curves.followed(subject)
    if not curves:
        return None
    metrics = tuple(metric for metric in metrics if any(metric.name in curve.bands for curve in curves))
    main, ends = metrics[0], curve_figures.limits(curves)
    table = of_curves.curves_table(curves, metrics)
    figures = []
    together = [curve for curve in curves if main.name in curve.bands]
    if len(together) > 1:
        labels = listed([curve.label for curve in together])
        whole = "All settings" if len(together) == len(subject.result.settings) else "Together"
        alt = f"{main.label} on validation epoch by epoch of {labels}. Where each ends is in the table."
        caption = "Mean over the repeats; the band goes from the lowest to the highest of them."
        caption += _LEAVING if curve_figures.leave_together(together, main) else ""
        figures.append(
            SectionFigure(
                *("curves", f"{whole}: {main.label} on validation", caption, alt, table),
                draw=lambda: curve_figures.draw_together(together, main, subject.colours, subject.names),
            )
        )
    for curve in curves:
        figures.append(_curve_figure(subject, curve, metrics, ends, table))
    text = (
        "Training numbers are taken while an epoch trains, on augmented pictures and with dropout on, where these are "
        "used, so they can lie below those of validation. The bar marks the gap between the two at the epoch whose "
        "weights were kept."
    )
    left = len(subject.result.settings) - len(subject.shown)
    text += f" Shown are the best, the baseline and the next best; {left} other settings are left out." if left else ""
    return Section(
        "curves", "Learning curves", text, figures=tuple(figures), files=(table, of_curves.points_table(curves))
    )


def _curve_figure(
    subject: ReportSubject,
    curve: of_curves.SettingCurves,
    metrics: tuple[of_curves.CurveMetric, ...],
    ends: curve_figures.Limits,
    table: Table,
) -> SectionFigure:
    gaps = [
        f"{metric.label}: gap of {with_unit(curve.gaps[metric.name].size, metric.kind, sign=True)} at epoch "
        f"{curve.gaps[metric.name].epoch}"
        for metric in metrics
        if metric.name in curve.gaps
    ]
    alt = f"Learning curves of {curve.label} on train and validation. {'; '.join(gaps)}."
    caption = f"Train dashed, validation solid.{_LEAVING if curve_figures.leaves(curve, ends) else ''}"
    place = table.keys.index(curve.key)
    own = Table("curves", table.title, table.columns, (table.rows[place],), (curve.key,), table.note).without_empty()
    return SectionFigure(
        *(f"curves {curve.key}", curve.label, caption, alt, own),
        draw=lambda: curve_figures.draw_setting(curve, metrics, subject.colours[curve.key], ends),
    )


def _factors(subject: ReportSubject) -> Section | None:
    # With one factor of words, the settings themselves are its effect.
    if subject.unlike:
        return None
    effects = of_factors.effects(subject)
    wanted = [effect for effect in effects if len(subject.result.axes) > 1 or effect.scale != "words"][:_MOST_EFFECTS]
    figures = [*_search_figures(subject), *(_effect_figure(subject, effect) for effect in wanted)]
    for heat_map in of_factors.heat_maps(subject):
        figures.append(_heat_figure(subject, heat_map))
    return Section("factors", "What each factor does", figures=tuple(figures)) if figures else None


def _search_figures(subject: ReportSubject) -> list[SectionFigure]:
    metric, steps = of_search.search_metric(subject), of_search.search_steps(subject)
    if metric is None or not steps:
        return []
    best = steps[-1].best
    alt = f"{capital(metric.label)} of {counted(len(steps), 'step')} of the search, the best "
    alt += f"{with_unit(best, metric.unit)}."
    caption = "Dots: settings tried, hollow where they were stopped early; line: the best so far."
    table = of_search.search_table(subject)
    return [SectionFigure("search", table.title, caption, alt, table, lambda: draw_search(steps, metric))]


def _effect_figure(subject: ReportSubject, effect: of_factors.Effect) -> SectionFigure:
    metric = subject.metric
    ordered = sorted(effect.levels, key=lambda level: level.mean)
    alt = (
        f"Mean {metric.label} by {effect.axis}, from {with_unit(ordered[0].mean, metric.unit)} at "
        f"{ordered[0].label} to {with_unit(ordered[-1].mean, metric.unit)} at {ordered[-1].label}."
    )
    span = f"{with_unit(effect.span, metric.unit, sign=True).lstrip('+')} from the lowest to the highest mean."
    caption = f"{span} Bar: 95% interval over the seeds. {effect.how}".strip()
    table = of_factors.effects_table(subject, effect)
    key = f"effect {effect.axis}"
    return SectionFigure(key, effect.axis, caption, alt, table, lambda: factor_figures.draw_effect(subject, effect))


def _heat_figure(subject: ReportSubject, heat_map: of_factors.HeatMap) -> SectionFigure:
    alt = (
        f"Heat map of mean {subject.metric.label} over {heat_map.rows} and {heat_map.columns}; "
        "the numbers are in the table."
    )
    unit = " in percent" if subject.metric.unit == "share" else ""
    caption = f"Mean {subject.metric.label}{unit}. {heat_map.how}".strip()
    table = of_factors.heat_map_table(subject, heat_map)
    title = f"{heat_map.rows} and {heat_map.columns}"
    return SectionFigure(table.key, title, caption, alt, table, lambda: factor_figures.draw_heat_map(subject, heat_map))


def _cost(subject: ReportSubject) -> Section | None:
    points = of_cost.trade_off(subject)
    if len(points) < 2 or subject.unlike:
        return None
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
    table = of_cost.trade_off_table(subject, points)
    figure = SectionFigure(
        *("trade-off", title, caption, alt, table), draw=lambda: draw_trade_off(subject, points, subject.colours)
    )
    return Section("cost", "What it costs", figures=(figure,))


def _best(subject: ReportSubject, data_dir: Path | None) -> list[Section | None]:
    """The best setting number by number and class by class, and its mistakes."""
    repeats = of_classes.best_repeats(subject)
    if subject.best is None or not repeats or subject.unlike:
        return []
    parts: list[Section | None] = []
    for numbers in of_numbers.number_details(repeats, subject.label(subject.best.key)):
        parts.append(_number_section(subject, numbers))
        farthest = farthest_off(repeats, numbers.name, data_dir)
        if farthest is not None:
            parts.append(_farthest_section(numbers, farthest))
    for details in of_classes.class_details(repeats, subject.label(subject.best.key)):
        parts.append(_class_section(subject, details))
        mistakes = gallery(repeats, details.column, data_dir)
        if mistakes is not None:
            parts.append(_mistakes_section(details.column, mistakes))
    return parts


def _number_section(subject: ReportSubject, details: of_numbers.NumberDetails) -> Section:
    unit, numbers = details.predictions.unit, details.predictions
    mean, guess = (with_unit(value, unit) for value in (float(numbers.distances.mean()), numbers.guess))
    text = f"{_on_which(subject, details)} It is off by {mean} on average; who always says the same {details.name} is "
    text += f"off by {guess} at best."
    shares = of_numbers.shares_table(details)
    half = with_unit(shares.rows[0][1], unit)
    against = SectionFigure(
        *(f"numbers {details.name}", "Predicted against true"),
        "On the dashed line it is right. Darker: more predictions.",
        f"Predicted against true {details.name}; half of the predictions are within {half} of the true one.",
        of_numbers.parts_table(details),
        draw=lambda: number_figures.draw_numbers(details),
    )
    far = SectionFigure(
        *(f"distances {details.name}", "How far off"),
        f"Dashed: who always says the same, {guess} on average." if numbers.guess > 0 else "",
        f"Share of predictions that are off by at most so much: half by {half}.",
        shares,
        draw=lambda: number_figures.draw_distances(details),
    )
    title = f"Predicted and true: {details.name}"
    return Section(f"numbers {details.name}", title, text, figures=(against, far))


def _on_which(subject: ReportSubject, details: of_classes.ClassDetails | of_numbers.NumberDetails) -> str:
    """What the numbers of the best setting are of."""
    several = len(details.seeds) > 1
    seeds = f"seed{'s' if several else ''} {listed([str(seed) for seed in details.seeds])}"
    text = f"{details.label} on the {details.split} pictures, {seeds}{' counted together' if several else ''}."
    if details.split == "test" and len(subject.result.settings) > 1:
        text += " It was chosen by these very numbers, so they flatter it a little."
    return text


def _class_section(subject: ReportSubject, details: of_classes.ClassDetails) -> Section:
    text = _on_which(subject, details)
    figures = (_confusion_figure(details), _measures_figure(details), _calibration_figure(details))
    name = "" if details.column == "label" else f": {details.column}"
    tables = (of_classes.pairs_table(details),) if details.confusion.mistakes(1) else ()
    return Section(f"classes {details.column}", f"The best, class by class{name}", text, tables, figures)


def _confusion_figure(details: of_classes.ClassDetails) -> SectionFigure:
    worst = details.confusion.mistakes(1)
    most = f" Most often {worst[0][0]} is taken for {worst[0][1]}, {worst[0][2]:,} times." if worst else ""
    alt = f"Confusion matrix of {counted(len(details.confusion.names), 'class')[:-2]}es.{most}"
    return SectionFigure(
        *(f"confusion {details.column}", "Confusion matrix"),
        "Percent of the pictures of each true class; shades are stretched so that few mistakes show.",
        *(alt, of_classes.confusion_table(details)),
        draw=lambda: class_figures.draw_confusion_matrix(details.confusion),
    )


def _measures_figure(details: of_classes.ClassDetails) -> SectionFigure:
    f1 = details.measures.mean["f1"]
    lowest = details.measures.names[min(range(len(f1)), key=lambda i: (f1[i] != f1[i], f1[i]))]
    alt = f"Precision, recall and F1 of each class; the lowest F1 is that of {lowest}."
    caption = "Mean over the repeats; lines go from the lowest to the highest of them."
    return SectionFigure(
        *(f"classes {details.column}", "Precision, recall and F1", caption, alt, of_classes.measures_table(details)),
        draw=lambda: class_figures.draw_measures(details.measures),
    )


def _calibration_figure(details: of_classes.ClassDetails) -> SectionFigure:
    calibration = details.calibration
    over = calibration.confidence - calibration.accuracy
    side = "surer than it is right" if over > 0 else "less sure than it is right"
    side = "about as sure as it is right" if abs(over) < _CLOSE else side
    numbers = f"expected calibration error {with_unit(calibration.ece, 'share')}, Brier score {calibration.brier:.4f}"
    alt = f"Accuracy against confidence in {len(calibration.bins)} bins; {numbers}."
    caption = (
        f"On the dashed line it is right as often as it says. On the whole it is {side}: mean confidence "
        f"{with_unit(calibration.confidence, 'share')}, accuracy {with_unit(calibration.accuracy, 'share')}; {numbers}."
    )
    return SectionFigure(
        *(f"calibration {details.column}", "Calibration", caption, alt, of_classes.calibration_table(details)),
        draw=lambda: class_figures.draw_reliability(calibration),
    )


def _mistakes_section(column: str, worst: Gallery) -> Section:
    text = f"{worst.run} (seed {worst.seed}) is wrong about {worst.wrong:,} of {worst.n:,} {worst.split} pictures"
    shown = len(worst.mistakes)
    text += f"; here are the {shown} it is surest of." if 1 < shown < worst.wrong else "."
    text += f" {worst.trouble}" if worst.trouble else ""
    name = "" if column == "label" else f": {column}"
    return Section(f"mistakes {column}", f"Its most confident mistakes{name}", text, gallery=worst)


def _farthest_section(details: of_numbers.NumberDetails, worst: Gallery) -> Section:
    text = f"Of {worst.n:,} {worst.split} pictures, the {len(worst.mistakes)} of which {worst.run} (seed {worst.seed}) "
    text += f"is farthest off.{f' {worst.trouble}' if worst.trouble else ''}"
    return Section(f"farthest {details.name}", f"Where it is farthest off: {details.name}", text, gallery=worst)


def _missing(subject: ReportSubject) -> Section | None:
    table = of_settings.missing_table(subject)
    if not table.rows:
        return None
    text = "These trials have no numbers, and are in none of the means. What is left may look better than it is."
    return Section("missing", "What is missing", text, tables=(table,))
