"""The HTML page: one file with everything inside, filled into a template that escapes whatever it is given."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnlab.core.number_text import counted
from cnnlab.core.sinks import for_markup
from cnnlab.reports.contents.answer import answer
from cnnlab.reports.contents.mistakes import Gallery, Mistake
from cnnlab.reports.contents.provenance import Provenance
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import IntervalEnds, Table, TableColumn
from cnnlab.reports.contents.transfers import status, transfers
from cnnlab.reports.sections import Section
from cnnlab.reports.writing.svg import VARIABLES, inline
from cnnlab.reports.writing.tables import slug

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from jinja2 import Environment
    from markupsafe import Markup

_JOINT = re.compile(r"([._])(?=[^\W\d_])")
_MOST_PIXELS = 160
_LONGEST_TABLE = 400
_MOST_COLUMNS = 40
_ROOMY, _SENTENCE = 26, 60
_CODE = re.compile(r"`([^`\n]+)`")
_VERDICTS = {
    "supported": ("✓", "good"),
    "better": ("▲", "good"),
    "better on these pictures": ("▲", "good"),
    "reproduced": ("✓", "good"),
    "contradicted": ("✗", "bad"),
    "worse": ("▼", "bad"),
    "worse on these pictures": ("▼", "bad"),
}


def page(
    subject: ReportSubject,
    sections: Sequence[Section],
    origin: Provenance,
    drawn: Mapping[str, str],
    drawn_wide: Mapping[str, str],
    folder: str,
) -> str:
    """The page's text.

    :param drawn: SVG of each picture by its key; ``drawn_wide`` of those that have a large screen to themselves.
    :param folder: the name of the folder beside it that holds tables, figures and recipes.
    """
    from markupsafe import Markup

    environment = page_environment()
    figures = {key: Markup(inline(svg, f"f{place}")) for place, (key, svg) in enumerate(drawn.items())}
    wide = {key: Markup(inline(svg, f"w{place}")) for place, (key, svg) in enumerate(drawn_wide.items())}
    first, second = answer(subject)
    text = environment.get_template("report.html").render(
        result=subject.result,
        is_study=subject.is_study,
        is_of_transfers=subject.is_of_transfers,
        answer=(first, second),
        status=_status(subject),
        sections=sections,
        figures=figures,
        wide=wide,
        origin=origin,
        folder=folder,
        style=page_file("report.css"),
        script=page_file("report.js"),
        swatch_of=lambda key: _swatch(subject, key),
    )
    return for_markup("\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n")


def page_environment() -> "Environment":
    """What fills templates, all that is given to them escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cnnlab.reports.writing", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(slug=slug, cell=_cell, coded=_coded, sort_value=_sort_value, mark=_mark, image=_image)
    environment.filters.update(
        is_wordy=_is_wordy,
        names=_names,
        is_long_text=_is_long_text,
        shown=_shown,
        is_long=_is_long,
        words=_words,
        heading=_heading,
    )
    return environment


def page_file(name: str) -> "Markup":
    """A file beside the templates, as it is."""
    from importlib.resources import files

    from markupsafe import Markup

    return Markup(files("cnnlab.reports.writing").joinpath("templates", name).read_text(encoding="utf-8"))


def _status(subject: ReportSubject) -> list[str]:
    result = subject.result
    trials = [trial for setting in result.trained for trial in setting.trials] or [
        trial for setting in result.settings for trial in setting.trials
    ]
    finished = sum(trial.status == "finished" for trial in trials)
    what = "transfer" if subject.is_of_transfers else "training"
    texts = [counted(len(result.settings), "setting"), f"{finished:,} of {counted(len(trials), what)} finished"]
    made = [found for _, found in transfers(subject)]
    texts = list(filter(None, status(made[0]))) if len(made) == len(trials) == 1 else texts
    texts = [_quick(subject), *texts] if subject.quick else texts
    failed = sum(trial.status == "failed" for trial in trials)
    texts += [f"{failed:,} failed"] if failed else []
    day = (result.finished or result.updated or "")[:10]
    return [*texts, *([day] if day else [])]


def _quick(subject: ReportSubject) -> str:
    """Which of the settings are quick trials, in words."""
    is_whole = len(subject.quick) == len(subject.result.settings)
    return "quick trial" if is_whole else f"{counted(len(subject.quick), 'setting')} as quick trials"


def _swatch(subject: ReportSubject, key: str) -> tuple[str, str]:
    """Colour and shape by which a setting is known in figures."""
    look = subject.looks[key]
    return f"var(--{VARIABLES[look.colour]})", look.shape


def _heading(text: str) -> str:
    """The name of a column, which may be broken inside a long key: after a dot or an underscore before a letter."""
    return _JOINT.sub("\\1\u200b", text)


def _cell(value: Any, column: TableColumn) -> str:
    return column.text(value)


def _coded(text: Any) -> "Markup":
    """Text in which what stands between back-ticks is set as code; all else is escaped."""
    from markupsafe import Markup, escape

    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def _sort_value(value: Any) -> str:
    """By what a column is sorted: numbers in full, intervals by their middle."""
    if isinstance(value, IntervalEnds):
        return repr((value.low + value.high) / 2)
    if value is None or value != value:
        return ""
    return repr(float(value)) if isinstance(value, int | float) else str(value)


def _mark(value: Any) -> tuple[str, str]:
    """The sign of a verdict, and its class."""
    return _VERDICTS.get(str(value), ("", ""))


def _shown(table: Table) -> Sequence[tuple[Any, ...]]:
    """The rows that a page shows; of thousands only the first."""
    return table.rows[:_LONGEST_TABLE] if len(table.columns) <= _MOST_COLUMNS else ()


def _is_long(table: Table) -> bool:
    return len(_shown(table)) < len(table.rows)


def _is_wordy(table: Table) -> bool:
    """Whether most of it are sentences, which a phone shows one under another."""
    places = range(len(table.columns))
    sentences = sum(
        any(isinstance(r[place], str) and len(r[place]) > _SENTENCE for r in table.rows) for place in places
    )
    has_numbers = any(column.is_number for column in table.columns)
    has_numbers |= any(isinstance(cell, IntervalEnds) for row in table.rows for cell in row)
    return sentences > (1 if has_numbers else 0)


def _names(table: Table) -> int:
    """How many columns of names it begins with, before its first number; a phone shows them in one."""
    count = next((place for place, column in enumerate(table.columns) if column.is_number), 1)
    return 1 if _is_wordy(table) else max(1, count)


def _is_long_text(value: Any) -> bool:
    """Whether a cell needs room not to be broken into many lines."""
    return isinstance(value, str) and len(value) > _ROOMY


def _words(mistake: Mistake, gallery: Gallery) -> str:
    """What goes for the picture where it cannot be seen."""
    return f"Picture {mistake.called}: {mistake.true}, taken for {mistake.predicted}, {gallery.words(mistake)}."


def _image(mistake: Mistake) -> str:
    """The picture as a data URI."""
    return "" if mistake.pixels is None else png_uri(mistake.pixels)


def png_uri(pixels: "npt.NDArray[np.uint8]") -> str:
    """A picture, uint8 C×H×W, as PNG within an address; a large one made smaller."""
    from PIL import Image

    channels = pixels.shape[0]
    image = Image.fromarray(pixels[0]) if channels < 3 else Image.fromarray(pixels[:3].transpose(1, 2, 0).copy())
    image.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def has_images(gallery: Gallery) -> bool:
    """Whether there is anything to be seen in it."""
    return any(mistake.pixels is not None for mistake in gallery.mistakes)
