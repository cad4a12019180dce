"""What a report says of predicted numbers."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnlab
from cnnlab.evaluation import Confusion, NumberPredictions
from cnnlab.reports import write_runs_report
from cnnlab.reports.colours import COLOURS
from cnnlab.reports.contents.mistakes import farthest_off
from cnnlab.reports.contents.numbers import NumberDetails, number_details, number_text, parts_table, shares_table
from cnnlab.reports.contents.report_subject import Repeat
from cnnlab.reports.figures.class_metrics import draw_confusion_matrix
from cnnlab.reports.figures.numbers import draw_distances, draw_numbers
from cnnlab.reports.writing.svg import inline, svg_of
from cnnlab.studies.result import Trial


def details(truth: np.ndarray, predicted: np.ndarray, period: float | None = None, unit: str = "number"):
    predictions = NumberPredictions("time" if period else "age", truth, predicted, period, unit)  # type: ignore[arg-type]
    return NumberDetails("test", (0,), predictions)


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> cnnlab.Run:
    root = tmp_path_factory.mktemp("clocks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNLAB_CACHE", str(root / "cache"))
        yield cnnlab.train(
            data="clocks(n=60, size=32)",
            model="mlp(hidden=[4])",
            objective="circular(720, column=[hour, minute])",
            epochs=1,
            runs=root / "runs",
        )


def test_times_are_written_as_clocks_show_them() -> None:
    time = NumberPredictions("time", np.zeros(1), np.zeros(1), 720.0, "minutes")
    assert [number_text(time, value) for value in (205, 5, 719.7, -1)] == ["3:25", "12:05", "12:00", "11:59"]
    assert number_text(replace(time, unit="number"), 1234.5) == "1,234"


def test_tables_tell_how_far_off_and_where() -> None:
    truth = np.arange(120.0)
    shown = details(truth, truth + np.where(truth < 60, 2.0, -4.0))
    assert [row[1] for row in shares_table(shown).rows] == [2, 4, 4, 4, 4, 4]
    rows = parts_table(shown).rows
    assert len(rows) == 12 and sum(row[2] for row in rows) == 120
    assert rows[0][3:] == (2, 2, 2) and rows[-1][3:] == (4, 4, -4)


def test_a_part_of_the_range_without_images_has_no_numbers() -> None:
    rows = parts_table(details(np.array([0.0, 1.0, 100.0]), np.zeros(3))).rows
    assert rows[1][2:] == (0, None, None, None)


@pytest.mark.parametrize("count", [1, 30, 3000])
@pytest.mark.parametrize("period", [None, 720.0])
def test_numbers_are_drawn_however_many_and_however_right(count: int, period: float | None) -> None:
    truth = np.linspace(0, 700, count)
    unit = "minutes" if period else "number"
    for predicted in (truth, truth + np.linspace(-900, 900, count)):
        shown = details(truth, predicted, period, unit)
        for draw in (draw_numbers, draw_distances):
            svg = svg_of(draw(shown))
            assert "nan" not in svg and len(svg) < 200_000


def test_images_within_figures_are_whole_in_the_page() -> None:
    truth = np.linspace(0, 700, 3000)
    names = tuple(map(str, range(60)))
    matrix = Confusion(names, np.eye(60, dtype=np.int64))
    for figure in (draw_numbers(details(truth, truth)), draw_confusion_matrix(matrix)):
        page = inline(svg_of(figure), "f1")
        (content,) = re.findall(r'<image[^>]*href="data:image/png;base64,\s*([^"]+)"', page)
        with Image.open(io.BytesIO(base64.b64decode(content))) as image:
            assert image.width > 1
        assert "f1-data" not in page


def test_what_is_drawn_stays_within_a_hundredth_of_a_point_in_the_page() -> None:
    truth = np.linspace(0, 700, 300)
    svg = svg_of(draw_numbers(details(truth, truth)))
    page = inline(svg, "f1")
    drawn, kept = (re.findall(r' d="([^"]+)"', text) for text in (svg, page))
    assert len(drawn) == len(kept) > 5
    for before, after in zip(drawn, kept, strict=True):
        numbers = [np.array(re.findall(r"-?[\d.]+", path), float) for path in (before, after)]
        np.testing.assert_allclose(*numbers, atol=0.00501)
    assert set(re.findall(r"(?:url\(|href=\")#([^\")]+)", page)) <= set(re.findall(r' id="([^"]+)"', page))
    assert len(page) < 0.9 * len(svg)


def test_names_in_figures_stay_as_they_are_in_the_page() -> None:
    # As a colour of the page's, and as an attribute, would be written in the tags around them.
    names = (COLOURS[0], 'id="a"')
    svg = svg_of(draw_confusion_matrix(Confusion(names, np.eye(2, dtype=np.int64))))
    page = inline(svg, "f1")
    for name in names:
        assert page.count(f">{name}<") == svg.count(f">{name}<") > 0
    assert COLOURS[0].lower() not in re.sub(">[^<]*<", "><", page).lower()


def test_the_farthest_off_come_first_with_their_own_images(clocks: cnnlab.Run) -> None:
    predictions = clocks.predictions("test")
    repeats = (Repeat(Trial(0, "finished"), clocks, predictions),)
    (shown,) = number_details(repeats)
    gallery = farthest_off(repeats, "time")
    assert gallery is not None and gallery.trouble == ""
    sizes = [mistake.size for mistake in gallery.mistakes]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == shown.predictions.distances.max()
    assert gallery.words(gallery.mistakes[0]).startswith("off by ")
    assert all(mistake.pixels is not None for mistake in gallery.mistakes)


def test_the_report_of_a_clock_has_its_numbers_and_minutes(clocks: cnnlab.Run, tmp_path: Path) -> None:
    text = write_runs_report([clocks], tmp_path / "out").read_text()
    assert "Predicted and true: time" in text and "Where it is farthest off: time" in text
    assert re.search(r"It is off by [\d.]+ min on average; who always says the same time is off by", text)
    assert "test clock mean error (min)" in text
    files = tmp_path / "out" / "report-files"
    assert (files / "tables" / "numbers-time.csv").is_file() and (files / "figures" / "distances-time.svg").is_file()
    assert (files / "figures" / "farthest-time.pdf").is_file()
