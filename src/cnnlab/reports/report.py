"""Writing a report: the page, and beside it a folder of tables, figures and recipes."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlab.core.errors import UsageError
from cnnlab.core.files import make_folder, open_regular, storage_errors, write_bytes, write_text
from cnnlab.reports.contents.provenance import Provenance, provenance
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.standalone_runs import result_of_runs
from cnnlab.reports.contents.tables import Table
from cnnlab.reports.figures.mistakes import draw_mistakes
from cnnlab.reports.figures.style import style, wide
from cnnlab.reports.sections import Section, sections_of
from cnnlab.reports.writing.page import has_images, page
from cnnlab.reports.writing.svg import pdf_of, svg_of
from cnnlab.reports.writing.tables import csv_of, latex_of, slug
from cnnlab.runs import Run
from cnnlab.studies.result import StudyResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"
FILES = "report-files"
_PAGES = (".html", ".htm")
_NO_PAGES = (".pdf", ".md", ".txt", ".tex", ".docx", ".csv", ".json", ".xml", ".png", ".svg", ".jpg", ".zip", ".ipynb")
_MARK, _HEAD = b'<meta name="generator" content="cnnlab">', 1 << 14
_MOST_ROWS, _MOST_COLUMNS = 120, 16
"""Of a table in LaTeX; what is larger fits no paper, and is in CSV alone."""


def write_study_report(
    result: StudyResult, runs: Mapping[str, Run], out: Path, *, data_dir: Path | None = None
) -> Path:
    """Writes the report of a study, in place of one that stood there, and returns the path of its page.

    :param runs: the runs that are still there, by the name of their folder.
    :param out: a folder for ``report.html`` and ``report-files``; or the page itself, as ``thesis.html``, beside which
        ``thesis-files`` lies then.
    :param data_dir: where data sets are looked for, for the pictures of mistakes; never on the network.
    :raises UsageError: for a study without any setting, or an ``out`` that can be neither.
    :raises StorageError: when it cannot be written.
    """
    place = _Place.at(Path(out))
    if not result.settings:
        raise UsageError(f"the study {result.name} has no settings yet, so there is nothing to report. Run it first.")
    return _write(ReportSubject(result, runs, data_dir=data_dir), place)


def write_runs_report(runs: Sequence[Run], out: Path, *, data_dir: Path | None = None) -> Path:
    """The same for runs that belong to no study: settings are recipes that differ in more than the seed.

    :raises UsageError: when there are no runs, or for an ``out`` that is neither a folder nor a page.
    """
    place = _Place.at(Path(out))
    result = result_of_runs(runs)
    subject = ReportSubject(result, {run.name: run for run in runs}, is_study=False, data_dir=data_dir)
    return _write(subject, place)


@dataclass(frozen=True)
class _Place:
    """Where a report goes: its page, and the folder of what belongs to it."""

    page: Path
    files: Path

    @classmethod
    def at(cls, out: Path) -> "_Place":
        """What a person means by a path.

        :raises UsageError: for a file that is no page, or somebody else's.
        """
        if os.path.isdir(out):
            return cls(out / PAGE, out / FILES)
        if out.suffix.lower() not in _PAGES:
            if out.suffix.lower() in _NO_PAGES or os.path.exists(out):
                raise UsageError(
                    f"{out} can be no report: that is a page of HTML, as in --out report.html, or a folder that gets "
                    "one. Figures and tables to take away lie beside it."
                )
            return cls(out / PAGE, out / FILES)
        if os.path.exists(out) and not _is_report(out):
            raise UsageError(
                f"{out} is there already, and no report of cnnlab's. Give another name, or remove it first."
            )
        return cls(out, out.with_name(f"{out.stem}-files"))


def _is_report(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return _MARK in file.read(_HEAD)
    except OSError:
        return False


def _write(subject: ReportSubject, place: _Place) -> Path:
    parts = sections_of(subject)
    origin = provenance(subject)
    folder = place.files
    make_folder(folder)
    # What an earlier report had and this one has not would be taken for a part of it.
    with storage_errors(folder):
        for name in ("tables", "figures", "recipes"):
            shutil.rmtree(folder / name, ignore_errors=True)
        # Runs trained again beside their recipes stay.
        (folder / "study.yaml").unlink(missing_ok=True)
    drawn = {
        figure.key: _draw(figure.key, figure.draw, folder / "figures")
        for section in parts
        for figure in section.figures
    }
    drawn_wide = {
        section.figures[0].key: _draw_wide(section.figures[0].draw) for section in parts if len(section.figures) == 1
    }
    for section in parts:
        if section.gallery and has_images(section.gallery):
            _draw(section.key, partial(draw_mistakes, section.gallery), folder / "figures")
    _write_tables(parts, folder / "tables")
    _write_recipes(origin, folder)
    text = page(subject, parts, origin, drawn, drawn_wide, folder.name)
    write_text(place.page, text)
    return place.page


def _draw(key: str, draw: "Callable[[], Figure]", folder: Path) -> str:
    """The figure as SVG; it is written as SVG and PDF."""
    with style():
        figure = draw()
    svg = svg_of(figure)
    write_text(folder / f"{slug(key)}.svg", svg)
    write_bytes(folder / f"{slug(key)}.pdf", pdf_of(figure))
    return svg


def _draw_wide(draw: "Callable[[], Figure]") -> str:
    """A figure that stands by itself, as wide as a page on a large screen."""
    with style(), wide():
        return svg_of(draw())


def _write_tables(parts: Sequence[Section], folder: Path) -> None:
    tables: dict[str, Table] = {}
    for section in parts:
        # Whole tables first: a figure's own may be a part of one of them, under its name.
        own = (*section.tables, *section.files, *(figure.table for figure in section.figures))
        for table in (*own, *([section.gallery.table] if section.gallery else [])):
            tables.setdefault(slug(table.key), table)
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", csv_of(table))
        if len(table.rows) <= _MOST_ROWS and len(table.columns) <= _MOST_COLUMNS:
            write_text(folder / f"{name}.tex", latex_of(table))


def _write_recipes(origin: Provenance, folder: Path) -> None:
    for recipe in origin.recipes:
        write_text(folder / "recipes" / recipe.name, recipe.text)
    if origin.study_file:
        write_text(folder / "study.yaml", origin.study_file)
