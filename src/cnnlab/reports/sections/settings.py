"""The settings beside one another."""

from collections.abc import Iterable, Sequence

from cnnlab.core.number_text import counted
from cnnlab.reports.contents import settings as contents
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import capital, with_unit
from cnnlab.reports.figures import settings as figures
from cnnlab.reports.sections.base import Section, SectionFigure, section


@section(10)
def settings(subject: ReportSubject) -> Iterable[Section]:
    """Every setting with its mean and interval."""
    if subject.is_of_transfers and len(subject.result.settings) == 1:
        # What it compared stands in sections of its own.
        return
    table = contents.settings_table(subject)
    published = contents.published_values(subject)
    drawn = figures.drawn_settings(subject)
    if not drawn:
        yield Section("settings", "Settings", tables=(table,), files=(contents.trials_table(subject),))
        return
    left = len(subject.ranked) - len(drawn)
    parts = [f"Names: {what}."] if (what := _naming(subject)) else []
    parts += [_signs([summary.n for setting in drawn if (summary := subject.summary(setting))])]
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
        draw=lambda: figures.draw_settings(subject, published),
    )
    files = (contents.trials_table(subject),)
    yield Section("settings", "Settings", tables=(table,), figures=(figure,), files=files)


def _signs(repeats: Sequence[int]) -> str:
    """What the signs of the figure mean: an interval of one training is another thing than one over repeats."""
    if max(repeats) < 2:
        return "Large dot: its score; dotted bar: 95% interval of this one classifier over pictures."
    text = "Large dot: mean; bar: 95% interval over repeats; small dots: single trainings."
    if min(repeats) < 2:
        text += " Dotted bar, of a single training: 95% interval of this classifier over pictures."
    return text


def _naming(subject: ReportSubject) -> str:
    """What the names in figures are; empty where they speak for themselves."""
    several = [axis.name for axis in subject.result.axes if len(axis.values) > 1]
    words = ["the key of the table"] if subject.has_keys else []
    if subject.is_called_by_values:
        words.append(" · ".join(several))
    elif len(several) == 1 and any(subject.label(setting.key) != setting.label for setting in subject.result.settings):
        words.append(several[0])
    return ", then ".join(words)
