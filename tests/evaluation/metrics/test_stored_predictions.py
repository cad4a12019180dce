"""Metrics of stored predictions alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cnnlab
from cnnlab.core.errors import UsageError
from cnnlab.evaluation import ClassPredictions, confusion, metrics_of
from cnnlab.runs import Predictions


@pytest.mark.parametrize(
    "keys",
    [
        {"data": "digits", "objective": "classes"},
        {"data": "clocks(n=80, size=32)", "objective": "multi-head(hour=classes(12), minute=scalar)"},
    ],
)
def test_they_are_the_scores_of_the_run(keys: dict[str, str], tmp_path: Path) -> None:
    run = cnnlab.train(**keys, model="mlp(hidden=[8])", epochs=1, runs=tmp_path, precision="float32", threads=1)
    for split in ("validation", "test"):
        assert metrics_of(run.predictions(split)) == run.scores(split).to_dict()


def _predictions(**changes: object) -> Predictions:
    facts: dict[str, object] = {
        "outputs": {"label": np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0]], np.float32)},
        "targets": {"label": np.array([0, 0, 0])},
        "ids": list("abc"),
        "objective": "classes(column=label)",
        "classes": {"label": ("cat", "dog")},
        "data": "d",
        "split": "test",
    }
    return Predictions(**(facts | changes))  # type: ignore[arg-type]


def test_accuracy_and_loss_worked_out_by_hand() -> None:
    scores = metrics_of(_predictions())
    # The log of 1 + e^-2, 1 + e^1 and 1 + e^-2.
    expected = np.log1p(np.exp([-2, 1, -2])).mean()
    assert scores["accuracy"] == pytest.approx(2 / 3) and scores["loss"] == pytest.approx(expected)
    assert scores["n"] == 3


def test_without_targets_there_are_none() -> None:
    with pytest.raises(UsageError, match="the targets of test are not known"):
        metrics_of(replace(_predictions(), targets={}))


def test_confusions_of_probabilities_are_those_of_what_was_decided() -> None:
    decided = ClassPredictions(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1]), ("a", "b"), np.array([1, 1]))
    assert confusion(decided).counts.tolist() == [[0, 1], [0, 1]]
