"""What explains a run: figures that ``cnnlab explain`` has put beside it before. None is made for a report."""

import base64
from collections.abc import Iterable

from cnnlab.core.files import read_regular
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.explanations.folder import FOLDER, StoredFigure, stored_explanations
from cnnlab.reports.sections.base import Section, StoredPicture, section
from cnnlab.runs import Run

_MOST_BYTES, _MOST_ALTOGETHER = 1 << 21, 6 << 20
_PNG = b"\x89PNG\r\n\x1a\n"


@section(105)
def explanations(subject: ReportSubject) -> Iterable[Section]:
    """One section, of the run that the report is on, or of several the first of the best."""
    run = next(iter(subject.runs.values())) if len(subject.runs) == 1 else _best(subject)
    if run is None:
        return
    pictures, left_out = [], 0
    room = _MOST_ALTOGETHER
    for one in stored_explanations(run.folder / FOLDER):
        for figure in one.figures:
            content = _png(run, figure)
            if content is None or len(content) > room:
                left_out += 1
                continue
            room -= len(content)
            pictures.append(
                StoredPicture(
                    figure.title,
                    figure.caption,
                    f"data:image/png;base64,{base64.b64encode(content).decode()}",
                )
            )
    if pictures:
        text = (
            f"Made by cnnlab explain, and found beside {run.name}. Each method has its limits; explain.html has them."
        )
        text += f" {left_out} more are in {FOLDER} beside it." if left_out else ""
        yield Section("explanations", "What it looks at, and what it learned", text, pictures=tuple(pictures))


def _best(subject: ReportSubject) -> Run | None:
    repeats = subject.best_repeats if subject.best is not None and not subject.unlike else ()
    return repeats[0].run if repeats else None


def _png(run: Run, figure: StoredFigure) -> bytes | None:
    """The bytes of a figure; None where it is gone, or is no picture of ours."""
    try:
        content = read_regular(run.folder / FOLDER / f"{figure.file}.png", _MOST_BYTES)
    except OSError:
        return None
    return content if content.startswith(_PNG) else None
