"""The best setting number by number, and where it is farthest off."""

from collections.abc import Iterable

from cnnlab.reports.contents import numbers as contents
from cnnlab.reports.contents.mistakes import Gallery, farthest_off
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import with_unit
from cnnlab.reports.figures import numbers as figures
from cnnlab.reports.sections.base import Section, SectionFigure, section, what_was_scored


@section(80)
def best_numbers(subject: ReportSubject) -> Iterable[Section]:
    """Two sections for each number that is predicted."""
    if subject.best is None or not subject.best_repeats or subject.unlike:
        return
    for details in contents.number_details(subject.best_repeats):
        yield _number_section(subject, details)
        farthest = farthest_off(subject.best_repeats, details.name, subject.data_dir)
        if farthest is not None:
            yield _farthest_section(details, farthest)


def _number_section(subject: ReportSubject, details: contents.NumberDetails) -> Section:
    unit, numbers = details.predictions.unit, details.predictions
    mean, guess = (with_unit(value, unit) for value in (float(numbers.distances.mean()), numbers.guess))
    text = what_was_scored(subject, details.split, details.seeds)
    text += f" It is off by {mean} on average; who always says the same {details.name} is off by {guess} at best."
    shares = contents.shares_table(details)
    half = with_unit(shares.rows[0][1], unit)
    against = SectionFigure(
        *(f"numbers {details.name}", "Predicted against true"),
        "On the dashed line it is right. Darker: more predictions.",
        f"Predicted against true {details.name}; half of the predictions are within {half} of the true one.",
        contents.parts_table(details),
        draw=lambda: figures.draw_numbers(details),
    )
    far = SectionFigure(
        *(f"distances {details.name}", "How far off"),
        f"Dashed: who always says the same, {guess} on average." if numbers.guess > 0 else "",
        f"Share of predictions that are off by at most so much: half by {half}.",
        shares,
        draw=lambda: figures.draw_distances(details),
    )
    title = f"Predicted and true: {details.name}"
    return Section(f"numbers {details.name}", title, text, figures=(against, far))


def _farthest_section(details: contents.NumberDetails, worst: Gallery) -> Section:
    text = f"Of {worst.n:,} {worst.split} pictures, the {len(worst.mistakes)} of which {worst.run} (seed {worst.seed}) "
    text += f"is farthest off.{f' {worst.trouble}' if worst.trouble else ''}"
    return Section(f"farthest {details.name}", f"Where it is farthest off: {details.name}", text, gallery=worst)
