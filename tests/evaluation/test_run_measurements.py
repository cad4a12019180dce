"""The numbers that studies and reports read off finished runs."""

from pathlib import Path

import numpy as np
import pytest

from cnnlab.core.errors import UsageError
from cnnlab.core.measurements import MeasuredRuns, Metric, read_measure, usual_names
from cnnlab.core.metric_names import better
from cnnlab.runs import Predictions, Run, RunWriter

SCORED = ("loss", "accuracy")
RUNS = MeasuredRuns(
    {"train": SCORED, "validation": SCORED, "test": SCORED},
    {"train": SCORED, "validation": SCORED},
    "accuracy",
    better,
    ("cat", "dog"),
)
HISTORY = [
    {"epoch": 1, "validation_accuracy": 0.5, "validation_loss": 1.0, "seconds": 2.0},
    {"epoch": 2, "validation_accuracy": 0.75, "validation_loss": 0.5, "seconds": 3.0},
    {"epoch": 3, "validation_accuracy": 0.7, "validation_loss": 0.4, "seconds": 4.0},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root: Path = tmp_path_factory.mktemp("runs")
    with RunWriter.create(root, digest="a" * 64, recipe={"data": "pets"}, name="some") as writer:
        writer.history(HISTORY)
        # Of three cats two are recognised, and one dog of two.
        taken, labels = np.array([0, 0, 1, 1, 0]), np.array([0, 0, 0, 1, 1])
        writer.predictions(
            Predictions(
                outputs={"label": np.eye(2, dtype=np.float32)[taken]},
                targets={"label": labels},
                ids=list("abcde"),
                objective="classes(column=label)",
                classes={"label": ("cat", "dog")},
                data="0" * 64,
                split="test",
            )
        )
        writer.update(
            scores={
                "train": {"loss": 0.25, "accuracy": 0.9, "n": 90},
                "validation": {"loss": 0.5, "accuracy": 0.75, "n": 10},
                "test": {"loss": float("nan"), "accuracy": 0.6, "n": 5},
            },
            seconds=9.0,
            epochs_done=3,
            data={"sizes": {"train": 90}},
        )
    return Run(writer.folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("test_accuracy", 0.6),
        ("train_loss", 0.25),
        ("test_loss", None),
        ("gap", 0.15),
        ("the train-validation gap in loss", 0.25),
        ("seconds", 9.0),
        ("epochs", 3),
        ("images_per_second", 30.0),
        ("recall of cat", 2 / 3),
        ("precision of 'cat' on test", 2 / 3),
        ('recall of "dog"', 1 / 2),
        ("f1 of dog", 1 / 2),
        ("epochs to 0.7 validation_accuracy", 2),
        ("epochs to 75% validation_accuracy", 2),
        ("seconds to 70% validation_accuracy", 5.0),
        ("epochs to 5e-1 validation_loss", 2),
        ("epochs to 0.9 validation_accuracy", None),
    ],
)
def test_measures_are_read_off_the_record(run: Run, name: str, value: float | None) -> None:
    assert read_measure(name, RUNS).of(run) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("test_loss", Metric("test_loss", "test loss", "loss", "lower")),
        ("the gap", Metric("gap", "train-validation gap in accuracy", "share", "lower")),
        ("gap in loss", Metric("gap in loss", "train-validation gap in loss", "loss", "lower")),
        ("seconds", Metric("seconds", "training time", "seconds", "lower")),
        ("images_per_second", Metric("images_per_second", "images per second", "images/s", "higher")),
        ("recall of cat on test", Metric("recall of 'cat'", "recall of 'cat'", "share", "higher")),
        ("f1 of dog on train", Metric("f1 of 'dog' on train", "f1 of 'dog' on train", "share", "higher")),
        (
            "epochs to 90% validation_accuracy",
            Metric(
                "epochs to 0.9 validation_accuracy",
                "epochs to 0.9 validation accuracy",
                "epochs",
                "lower",
                is_level=True,
            ),
        ),
    ],
)
def test_measures_know_their_unit_and_which_way_is_better(name: str, metric: Metric) -> None:
    assert read_measure(name, RUNS).metric == metric


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("test_acuracy", "Did you mean test_accuracy"),
        ("recall of bird", "there is no class 'bird'"),
        ("gap in top5_accuracy", "not measured on both train and validation"),
        ("epochs to 0.9 test_accuracy", "not followed epoch by epoch"),
        ("epochs to 900% validation_accuracy", "never comes to 900%"),
    ],
)
def test_what_these_runs_do_not_have_is_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_measure(name, RUNS)


def test_without_a_train_score_there_is_no_gap_among_the_usual_measures() -> None:
    assert "gap" in usual_names(RUNS)
    alone = MeasuredRuns({"test": SCORED}, {}, "accuracy", better)
    assert usual_names(alone) == ["test_loss", "test_accuracy", "seconds", "epochs", "images_per_second"]
    with pytest.raises(UsageError, match="no single column of classes"):
        read_measure("recall of cat", alone)
