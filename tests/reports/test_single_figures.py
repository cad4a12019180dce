from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from cnnlab.core.errors import UsageError
from cnnlab.reports import figure_of_runs, figure_of_study
from cnnlab.reports.single_figures import KINDS, SingleFigure
from cnnlab.runs import Run
from cnnlab.studies.result import StudyResult

Make = Callable[..., Run]


def _words(figure: SingleFigure) -> str:
    return " ".join(" ".join(text.get_text() for text in figure.figure.texts).split())


@pytest.mark.parametrize("kind", ["curves", "confusion", "roc", "precision-recall", "calibration"])
def test_a_figure_bears_its_title_and_caption(kind: str, make_run: Make) -> None:
    run = make_run()
    drawn = figure_of_runs(kind, [run])
    assert run.name in drawn.title
    assert _words(drawn) == f"{drawn.title} {drawn.caption}"


@pytest.mark.parametrize("suffix", ["pdf", "svg", "png"])
def test_a_figure_is_written_in_the_format_that_its_name_ends_with(suffix: str, make_run: Make, tmp_path: Path) -> None:
    path = make_run().plot("confusion").save(tmp_path / f"figure.{suffix}")
    begins = {"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}
    assert path.read_bytes().startswith(begins[suffix])


@pytest.mark.parametrize("name", ["\x1b[31mred", "日本", "\U0010fffd"])
def test_letters_that_no_font_has_are_drawn_without_warnings(name: str, make_run: Make, tmp_path: Path) -> None:
    folder = make_run().folder
    run = Run(folder.rename(folder.with_name(name)))
    for suffix in ("pdf", "svg", "png"):
        assert run.plot("curves").save(tmp_path / f"figure.{suffix}").is_file()


@pytest.mark.parametrize("kind", ["curves", "roc", "precision-recall"])
def test_words_and_legend_keep_out_of_one_another(kind: str, make_run: Make) -> None:
    drawn = figure_of_runs(kind, [make_run(), make_run(seed=1)]).figure
    FigureCanvasAgg(drawn).draw()
    boxes = [part.get_window_extent() for part in (*drawn.texts, *drawn.legends)]
    boxes += [axes.get_tightbbox() for axes in drawn.axes]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert all(box.x0 >= 0 and box.x1 <= drawn.bbox.width for box in boxes)


def test_mistakes_show_pictures_under_a_title(make_run: Make, digits: object) -> None:
    drawn = make_run(accuracy=0.9).plot("mistakes")
    assert len(drawn.figure.axes) == 24
    texts = [text.get_text() for text in drawn.figure.texts]
    assert " ".join(texts[0].split()) == drawn.title and "24 of 36 mistakes on 359 pictures" in drawn.caption


def test_accuracy_of_each_run_stands_over_its_matrix(make_run: Make) -> None:
    runs = [make_run(accuracy=0.9), make_run(seed=1, accuracy=0.8)]
    drawn = figure_of_runs("confusion", runs)
    assert [axes.get_title().rpartition(" ")[2] for axes in drawn.figure.axes] == ["89.97%", "79.94%"]


def test_runs_that_share_a_figure_are_told_apart_by_name(make_run: Make) -> None:
    runs = [make_run(), make_run(seed=1)]
    (legend,) = figure_of_runs("roc", runs).figure.legends
    assert all(any(text.get_text().startswith(run.name[:8]) for text in legend.get_texts()) for run in runs)


@pytest.mark.parametrize("kind", ["calibration", "mistakes"])
def test_what_shows_one_run_refuses_several(kind: str, make_run: Make) -> None:
    with pytest.raises(UsageError, match="is of one run"):
        figure_of_runs(kind, [make_run(), make_run(seed=1)])


def test_an_unknown_kind_is_answered_with_the_closest(make_run: Make) -> None:
    with pytest.raises(UsageError, match="Did you mean confusion"):
        make_run().plot("confusions")


def test_a_split_that_was_not_predicted_is_refused(make_run: Make) -> None:
    with pytest.raises(UsageError, match="no predictions on 'train'"):
        make_run().plot("roc", split="train")


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_of_a_study_is_drawn(kind: str, study: tuple[StudyResult, dict[str, Run]]) -> None:
    drawn = figure_of_study(kind, *study)
    assert drawn.title and drawn.caption.endswith(".")
    assert len(drawn._repr_png_()) > 1000


def test_figures_go_into_the_folder_of_the_run_and_leave_its_record_alone(make_run: Make) -> None:
    run = make_run()
    before = run.info
    assert run.save_figures() == [run.folder / "curves.png", run.folder / "confusion.png"]
    for path in run.save_figures():
        with Image.open(path) as image:
            assert image.size[0] > 500
    assert run.info == before
