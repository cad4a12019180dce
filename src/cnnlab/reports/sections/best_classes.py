"""The best setting class by class, and its most confident mistakes."""

from collections.abc import Iterable
from math import isnan

from cnnlab.evaluation import Estimate
from cnnlab.reports.contents import classes as contents
from cnnlab.reports.contents.mistakes import Gallery, gallery
from cnnlab.reports.contents.ranking_curves import Ranking, ranking_caption, ranking_table
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import estimate_text, with_unit
from cnnlab.reports.figures import class_metrics as figures
from cnnlab.reports.figures.ranking_curves import draw_ranking
from cnnlab.reports.sections.base import Section, SectionFigure, section, what_was_scored

_CLOSE = 0.005
"""Mean confidence and accuracy that differ by less than half a point are called alike."""


@section(90)
def best_classes(subject: ReportSubject) -> Iterable[Section]:
    """Two sections for each column of classes that is predicted."""
    if subject.best is None or not subject.best_repeats or subject.unlike:
        return
    for details in contents.class_details(subject.best_repeats):
        yield _class_section(subject, details)
        mistakes = gallery(subject.best_repeats, details.column, subject.data_dir)
        if mistakes is not None:
            yield _mistakes_section(details.column, mistakes)


def _class_section(subject: ReportSubject, details: contents.ClassDetails) -> Section:
    text = what_was_scored(subject, details.split, details.seeds)
    drawn = (
        *(_confusion_figure(details), _measures_figure(details)),
        *(_ranking_figure(details, details.roc), _ranking_figure(details, details.precision_recall)),
        _calibration_figure(details),
    )
    name = "" if details.column == "label" else f": {details.column}"
    tables = (contents.pairs_table(details),) if details.confusion.mistakes(1) else ()
    return Section(f"classes {details.column}", f"The best, class by class{name}", text, tables, drawn)


def _confusion_figure(details: contents.ClassDetails) -> SectionFigure:
    worst = details.confusion.mistakes(1)
    most = f" Most often {worst[0][0]} is taken for {worst[0][1]}, {worst[0][2]:,} times." if worst else ""
    alt = f"Confusion matrix of {len(details.confusion.names):,} classes.{most}"
    return SectionFigure(
        *(f"confusion {details.column}", "Confusion matrix"),
        "Percent of the pictures of each true class; shades are stretched so that few mistakes show.",
        *(alt, contents.confusion_table(details)),
        draw=lambda: figures.draw_confusion_matrix(details.confusion),
    )


def _measures_figure(details: contents.ClassDetails) -> SectionFigure:
    f1 = details.measures.mean["f1"]
    lowest = details.measures.names[min(range(len(f1)), key=lambda i: (f1[i] != f1[i], f1[i]))]
    alt = f"Precision, recall and F1 of each class; the lowest F1 is that of {lowest}."
    several = len(details.seeds) > 1
    caption = "Mean over the repeats; lines go from the lowest to the highest of them." if several else ""
    areas = details.areas.mean
    if not isnan(areas.value):
        over = f"{details.split} pictures"
        caption += f" Mean area under the ROC curves: {estimate_text(areas, 'share', over)}."
    table = contents.measures_table(details)
    return SectionFigure(
        *(f"classes {details.column}", "Precision, recall and F1", caption.strip(), alt, table),
        draw=lambda: figures.draw_measures(details.measures),
    )


def _ranking_figure(details: contents.ClassDetails, ranking: Ranking) -> SectionFigure:
    is_roc = ranking.kind == "roc"
    title, area = ("ROC curves", "area") if is_roc else ("Precision and recall", "average precision")
    known = {name: value for name, value in ranking.areas.items() if not isnan(value)}
    lowest = min(known, key=known.__getitem__) if known else "none"
    alt = f"{title} of each class against the rest; the smallest {area} is that of {lowest}."
    table = ranking_table(ranking, details.column, details.areas if is_roc else None)
    return SectionFigure(
        *(f"{ranking.kind} {details.column}", title, ranking_caption(ranking, len(details.seeds)), alt, table),
        draw=lambda: draw_ranking(ranking),
    )


def _calibration_figure(details: contents.ClassDetails) -> SectionFigure:
    calibration = details.calibration
    over = calibration.confidence - calibration.accuracy
    side = "surer than it is right" if over > 0 else "less sure than it is right"
    side = "about as sure as it is right" if abs(over) < _CLOSE else side
    error = details.calibration_error
    sure = estimate_text(Estimate(error.ece, error.interval), "share", f"{details.split} pictures")
    confidence, accuracy, ece, by_chance = (
        with_unit(value, "share")
        for value in (calibration.confidence, calibration.accuracy, error.ece, error.by_chance)
    )
    bins = len(calibration.bins)
    caption = (
        f"On the dashed line it is right as often as it says. On the whole it is {side}: mean confidence {confidence}, "
        f"accuracy {accuracy}. Expected calibration error in {bins} bins: {sure}; perfect calibration would show "
        f"{by_chance} by chance. Brier score: {calibration.brier:.4f}."
    )
    alt = f"Accuracy against confidence in {bins} bins; expected calibration error {ece}."
    return SectionFigure(
        *(f"calibration {details.column}", "Calibration", caption, alt, contents.calibration_table(details)),
        draw=lambda: figures.draw_reliability(calibration),
    )


def _mistakes_section(column: str, worst: Gallery) -> Section:
    text = f"{worst.run} (seed {worst.seed}) is wrong about {worst.wrong:,} of {worst.n:,} {worst.split} pictures"
    shown = len(worst.mistakes)
    text += f"; here are the {shown} it is surest of." if 1 < shown < worst.wrong else "."
    text += f" {worst.trouble}" if worst.trouble else ""
    name = "" if column == "label" else f": {column}"
    return Section(f"mistakes {column}", f"Its most confident mistakes{name}", text, gallery=worst)
