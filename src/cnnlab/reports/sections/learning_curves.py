"""Learning curves of the settings."""

from collections.abc import Iterable

from cnnlab.reports.contents import curves as contents
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import Table, listed, with_unit
from cnnlab.reports.figures import curves as figures
from cnnlab.reports.sections.base import Section, SectionFigure, section

_LEAVING = " Where a line leaves the picture, its values lie beyond the axis, so that the others can be told apart."


@section(50)
def learning_curves(subject: ReportSubject) -> Iterable[Section]:
    """All settings in one panel, and each by itself."""
    curves, metrics = contents.setting_curves(subject), contents.followed(subject)
    if not curves:
        return
    metrics = tuple(metric for metric in metrics if any(metric.name in curve.bands for curve in curves))
    main, ends = metrics[0], figures.limits(curves)
    table = contents.curves_table(curves, metrics)
    has_repeats = any(curve.repeats > 1 for curve in curves)
    drawn = []
    together = [curve for curve in curves if main.name in curve.bands]
    if len(together) > 1:
        labels = listed([curve.label for curve in together])
        whole = "All settings" if len(together) == len(subject.result.settings) else "Together"
        alt = f"{main.label} on validation epoch by epoch of {labels}. Where each ends is in the table."
        caption = "Mean over the repeats; the band goes from the lowest to the highest of them." if has_repeats else ""
        caption += _LEAVING if figures.leave_together(together, main) else ""
        drawn.append(
            SectionFigure(
                *("curves", f"{whole}: {main.label} on validation", caption.strip(), alt, table),
                draw=lambda: figures.draw_together(together, main, subject.looks, subject.names),
            )
        )
    for curve in curves:
        drawn.append(_curve_figure(subject, curve, metrics, ends, table))
    text = (
        "Training numbers are taken while an epoch trains, on augmented pictures and with dropout on, where these are "
        "used, so they can lie below those of validation. The bar marks the gap between the two at the epoch whose "
        f"weights were kept{': the mean over the repeats, each at its own' if has_repeats else ''}."
    )
    left = len(subject.result.settings) - len(subject.shown)
    if left:
        asked = "those that the question names, the best" if subject.asked else "the best"
        text += f" Shown are {asked} and the next best; {left} other settings are left out."
    yield Section("curves", "Learning curves", text, figures=tuple(drawn), files=(table, contents.points_table(curves)))


def _curve_figure(
    subject: ReportSubject,
    curve: contents.LearningCurves,
    metrics: tuple[contents.CurveMetric, ...],
    ends: figures.Limits,
    table: Table,
) -> SectionFigure:
    gaps = [
        f"{metric.label}: gap of {with_unit(curve.gaps[metric.name].size, metric.kind, sign=True)} "
        f"{curve.gaps[metric.name].where}"
        for metric in metrics
        if metric.name in curve.gaps
    ]
    alt = f"Learning curves of {curve.label} on train and validation. {'; '.join(gaps)}."
    caption = "One epoch: train hollow, validation filled." if curve.epochs == 1 else "Train dashed, validation solid."
    caption = f"{caption}{_LEAVING if figures.leaves(curve, ends) else ''}"
    caption = f"{caption} {curve.said_of_phases}".strip()
    place = table.keys.index(curve.key)
    own = Table("curves", table.title, table.columns, (table.rows[place],), (curve.key,), table.note).without_empty()
    return SectionFigure(
        *(f"curves {curve.key}", curve.label, caption, alt, own),
        draw=lambda: figures.draw_setting(curve, metrics, subject.looks[curve.key], ends),
    )
