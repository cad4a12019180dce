"""What notebooks show: the numbers are there, and names from outside are text and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import cnnlab
from cnnlab.core.displays import html_facts, html_table
from cnnlab.core.measurements import Metric
from cnnlab.evaluation import Confusion
from cnnlab.evaluation.intervals import Interval
from cnnlab.evaluation.metrics.calibration import Bin, Calibration
from cnnlab.evaluation.metrics.precision_recall import PrecisionRecall, PrecisionRecallCurves
from cnnlab.evaluation.metrics.roc import Roc, RocCurves
from cnnlab.evaluation.prediction.predict import ImagePredictions, PredictedColumn
from cnnlab.runs import Predictions, RunStore, RunWriter, Scores
from cnnlab.runs.comparison import RunComparison
from cnnlab.studies.result import MetricSummary, Setting, StudyResult, Trial
from cnnlab.training import LRRangeTest

HOSTILE = "<script>alert(1)</script>\x1b[31m"


def _predictions() -> Predictions:
    return Predictions(
        outputs={"label": np.zeros((2, 2), np.float32)},
        targets={"label": np.array([0, 1])},
        ids=["a", "b"],
        objective="classes(column=label)",
        classes={"label": (HOSTILE, "b")},
        data="d",
        split="test",
    )


def _dataset() -> cnnlab.Dataset:
    from cnnlab.data import from_arrays

    pixels = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
    return from_arrays(pixels, np.arange(20) % 2, class_names=[HOSTILE, "b"], name=HOSTILE)


def _comparison() -> RunComparison:
    values: dict[str, list[Any]] = {"model": [HOSTILE, "vgg"]}
    return RunComparison(
        ["a", HOSTILE], values, {}, {"test.accuracy": [0.5, None]}, {}, ["finished"] * 2, [1, 2], [1, 2], [1, 2]
    )


LONG = np.linspace(0, 1, 1000)
ROC = Roc(LONG, LONG, LONG, 0.5, Interval(0.4, 0.6))
PRECISION = PrecisionRecall(LONG, LONG, 0.5, 0.5)


def _study_result() -> StudyResult:
    trials = tuple(Trial(seed, "finished", metrics={"test_accuracy": 0.5}) for seed in range(100))
    summary = MetricSummary("test_accuracy", (0, 1), (0.4, 0.6), 0.5, 0.1, 0.3, 0.7, "t over 2 repeats")
    settings = (Setting("s0", HOSTILE, {}, {}, trials, (summary,)), Setting("s1", "never trained", {}, {}))
    metric = Metric("test_accuracy", "test accuracy", "share", "higher")
    return StudyResult("small", HOSTILE, "grid()", (0, 1), {}, (), (metric,), settings)


DISPLAYED: dict[str, Callable[[], Any]] = {
    "Scores": lambda: Scores({"accuracy": 0.9123, "n": 100}, HOSTILE),
    "Predictions": _predictions,
    "Dataset": _dataset,
    "RunComparison": _comparison,
    "Study": lambda: cnnlab.Study(
        {"name": "s", "question": HOSTILE, "base": {"data": "digits"}, "vary": {"augment": ["none", "flip"]}}
    ),
    "Confusion": lambda: Confusion((HOSTILE, "b"), np.array([[3, 1], [0, 2]])),
    "ImagePredictions": lambda: ImagePredictions([HOSTILE], {"label": PredictedColumn([HOSTILE], [0.5])}),
    "RocCurves": lambda: RocCurves({HOSTILE: ROC}, ROC, replace(ROC, interval=None)),
    "PrecisionRecallCurves": lambda: PrecisionRecallCurves({HOSTILE: PRECISION}, 0.5),
    "StudyResult": lambda: _study_result(),
    "html_table": lambda: _Made(html_table((HOSTILE,), [(HOSTILE,)])),
    "html_facts": lambda: _Made(html_facts([(HOSTILE, HOSTILE)])),
}


class _Made:
    def __init__(self, html: str) -> None:
        self._repr_html_ = lambda: html


@pytest.mark.parametrize("kind", DISPLAYED)
def test_a_name_from_outside_is_shown_as_text(kind: str) -> None:
    page = DISPLAYED[kind]()._repr_html_()
    assert "<script" not in page and "\x1b" not in page
    assert "&lt;script&gt;" in page


def test_a_store_shows_its_runs_with_what_they_were_judged_by(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path, digest="d" * 64, recipe={"data": HOSTILE, "model": "vgg(a=1)"}, name="made") as run:
        run.finish({"test": {"loss": 0.4, "accuracy": 0.8765, "n": 9}}, selected={"metric": "validation_accuracy"})
    page = RunStore(tmp_path)._repr_html_()
    assert "accuracy 0.8765" in page and "1 run in" in page and '<td style="text-align: left">vgg</td>' in page
    assert "<script" not in page


def test_a_table_tells_how_many_rows_it_leaves_out() -> None:
    assert "… and 5 more" in html_table(("n",), [(number,) for number in range(25)])


def test_scores_show_their_metrics_and_pictures() -> None:
    table = ElementTree.fromstring(Scores({"accuracy": 0.9123, "n": 1234}, "test scores")._repr_html_())
    assert [cell.text for cell in table.iter() if cell.text] == ["test scores", "1,234 pictures", "accuracy", "0.9123"]


def test_a_data_set_shows_a_picture_of_each_class() -> None:
    assert _dataset()._repr_html_().count("<img") == 2


def test_a_comparison_is_a_table_in_a_terminal_too() -> None:
    lines = str(_comparison()).splitlines()
    assert lines[0].split() == ["a", "<script>alert(1)</script>\\x1b[31m"]
    assert [line.split() for line in lines if line.startswith("test accuracy")] == [["test", "accuracy", "0.5000", "–"]]


@pytest.mark.parametrize("kind", ["RocCurves", "PrecisionRecallCurves", "StudyResult"])
def test_what_holds_many_numbers_is_told_in_a_line(kind: str) -> None:
    told = repr(DISPLAYED[kind]())
    assert told.startswith(f"{kind}(") and len(told) < 200


def test_single_curves_a_calibration_and_a_range_test_are_told_in_a_line() -> None:
    bins = tuple(Bin(place / 100, (place + 1) / 100, 10, 0.5, 0.5) for place in range(100))
    assert repr(ROC) == "Roc(area 0.5000, 95% 0.4000 to 0.6000, 1,000 points)"
    assert repr(PRECISION) == "PrecisionRecall(average precision 0.5000, 1,000 points)"
    calibration = Calibration(bins, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1000)
    assert repr(calibration) == "Calibration(1,000 pictures, expected calibration error 0.1000)"
    assert calibration._repr_html_().count("<tr>") == 101
    tested = LRRangeTest(tuple(LONG), tuple(LONG), tuple(LONG), 0.01, 0.03, 0.012)
    assert repr(tested) == "LRRangeTest(1,000 steps, suggestion 0.012)"
    assert "0.012" in tested._repr_html_()


def test_areas_under_curves_are_a_table_with_their_intervals() -> None:
    table = ElementTree.fromstring(f"<div>{RocCurves({'a': ROC}, ROC, ROC)._repr_html_()}</div>")
    rows = [[cell.text for cell in row] for row in table.iter("tr")]
    assert rows[1] == ["a", "0.5", "0.4", "0.6"] and rows[2][0] == "mean of the classes"
