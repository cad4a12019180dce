"""Accuracies on other pictures than those tested: the choice of pictures is a source of chance of its own."""

from math import sqrt
from typing import Any

import numpy as np
import pytest
from known_values import ACCURACY
from small_studies import run_here, study_of

from cnnlab.core.errors import DataError
from cnnlab.core.measurements import Metric
from cnnlab.evaluation import crossed_intervals
from cnnlab.runs import Predictions
from cnnlab.studies import Study
from cnnlab.studies.result import MetricSummary
from cnnlab.studies.statistics.new_images import right_by, with_new_images

SUMMARY = MetricSummary("test_accuracy", (0, 1), (0.9, 0.9), 0.9, 0.0, 0.85, 0.95, "t over 2 repeats")


def predictions(right: list[bool], ids: str) -> Predictions:
    """Of two classes, right or wrong about each picture."""
    targets = np.array([ord(name) % 2 for name in ids])
    predicted = np.where(right, targets, 1 - targets)
    return Predictions(
        outputs={"label": np.eye(2, dtype=np.float32)[predicted] * 5},
        targets={"label": targets},
        ids=list(ids),
        objective="classes(column=label)",
        classes={"label": ("even", "odd")},
        data="d",
        split="test",
    )


def test_runs_that_agree_vary_by_their_pictures_alone() -> None:
    scores = np.array([[True] * 90 + [False] * 10] * 2)
    found = with_new_images(SUMMARY, ACCURACY, ["a", "b"], lambda runs, split: scores)
    assert found.std_of_images == pytest.approx(sqrt(0.9 * 0.1 / 99))
    assert found.new_low is not None and found.new_high is not None
    # Nine of ten, as far as a hundred pictures tell.
    assert 0.81 < found.new_low < 0.84 and 0.93 < found.new_high < 0.96
    assert (found.low, found.high) == (SUMMARY.low, SUMMARY.high)


def test_rows_are_put_in_one_order_and_read_once() -> None:
    known = {"a": predictions([True, False, True], "xyz"), "b": predictions([True, True, False], "zxy")}
    read: list[str] = []

    def reading(run: str, split: str) -> Predictions:
        read.append(f"{run} {split}")
        return known[run]

    right = right_by(reading)
    scores = right(("a", "b"), "test")
    assert scores is not None and scores.tolist() == [[True, False, True], [True, False, True]]
    before = list(read)
    right(("a", "b"), "test")
    assert read == before and set(read) == {"a test", "b test"}


@pytest.mark.parametrize("name", ["test_loss", "test_balanced_accuracy", "gap"])
def test_only_accuracies_have_pictures_to_be_drawn(name: str) -> None:
    metric = Metric(name, name, "share", "higher")
    assert with_new_images(SUMMARY, metric, ["a", "b"], lambda runs, split: np.ones((2, 5), bool)) == SUMMARY


def test_where_predictions_are_gone_or_single_nothing_is_said() -> None:
    def gone(run: str, split: str) -> Any:
        raise DataError("they were deleted")

    assert with_new_images(SUMMARY, ACCURACY, ["a", "b"], right_by(gone)) == SUMMARY
    assert with_new_images(SUMMARY, ACCURACY, ["a"], lambda runs, split: np.ones((1, 5), bool)) == SUMMARY


def test_a_study_shows_both_intervals_of_its_accuracies(runs) -> None:
    study = Study(study_of(repeats=3), runs=runs)
    result = run_here(study)
    for setting in result.settings:
        summary = setting.summary("test_accuracy")
        names = [str(trial.run) for trial in setting.finished]
        expected = crossed_intervals(right_by(study.analysis._predictions)(tuple(names), "test"))
        assert (summary.new_low, summary.new_high) == (expected.new_images.low, expected.new_images.high)
        assert summary.mean == pytest.approx(expected.mean)
    stored = study.record.read_result().settings[0].summary("test_accuracy")
    assert stored.new_low == result.settings[0].summary("test_accuracy").new_low
