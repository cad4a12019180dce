"""What explains a run: figures that ``cnnlab explain`` has put beside it before. None is made for a report."""

import base64
from collections.abc import Iterable
from pathlib import Path

from cnnlab.core.files import read_regular
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.explanations.folder import FOLDER, StoredExplanation, StoredFigure, stored_explanations
from cnnlab.reports.sections.base import Section, StoredPicture, section
from cnnlab.runs import Run

_MOST_BYTES, _MOST_ALTOGETHER = 1 << 21, 6 << 20
_PNG = b"\x89PNG\r\n\x1a\n"


@section(105)
def explanations(subject: ReportSubject) -> Iterable[Section]:
    """One section, of the run that the report is on, or of several the first of the best."""
    run = reported_run(subject)
    if run is None:
        return
    pictures, left_out = stored_pictures(run.folder / FOLDER, stored_explanations(run.folder / FOLDER))
    if pictures:
        text = (
            f"Made by cnnlab explain, and found beside {run.name}. Each method has its limits; explain.html has them."
        )
        text += f" {left_out} more are in {FOLDER} beside it." if left_out else ""
        yield Section("explanations", "What it looks at, and what it learned", text, pictures=pictures)


def reported_run(subject: ReportSubject) -> Run | None:
    """The run that the report is on, or of several the first of the best."""
    return next(iter(subject.runs.values())) if len(subject.runs) == 1 else _best(subject)


def stored_pictures(folder: Path, stored: Iterable[StoredExplanation]) -> tuple[tuple[StoredPicture, ...], int]:
    """The figures on record that can be shown, and how many are left out, for a page may grow no larger."""
    pictures, left_out = [], 0
    room = _MOST_ALTOGETHER
    for one in stored:
        for figure in one.figures:
            content = _png(folder, figure)
            if content is None or len(content) > room:
                left_out += 1
                continue
            room -= len(content)
            uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
            pictures.append(StoredPicture(figure.title, figure.caption, uri))
    return tuple(pictures), left_out


def _best(subject: ReportSubject) -> Run | None:
    repeats = subject.best_repeats if subject.best is not None and not subject.unlike else ()
    return repeats[0].run if repeats else None


def _png(folder: Path, figure: StoredFigure) -> bytes | None:
    """The bytes of a figure; None where it is gone, or is no picture of ours."""
    try:
        content = read_regular(folder / f"{figure.file}.png", _MOST_BYTES)
    except OSError:
        return None
    return content if content.startswith(_PNG) else None
