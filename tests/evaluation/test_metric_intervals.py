"""Which metrics have an interval over pictures, and whether it is the right one for each."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import class_estimates, metrics_of, run_intervals, score_intervals, wilson
from cnnlab.runs import Predictions, Run, RunWriter

N = 60


def predictions(objective: str, columns: dict[str, int], heads: dict[str, int] | None = None) -> Predictions:
    """Outputs that tell something of the targets: by column how many classes it has, by head how wide it is."""
    generator = np.random.default_rng(0)
    targets = {name: generator.integers(0, k, N) for name, k in columns.items()}
    outputs = {}
    for (head, width), column in zip((heads or columns).items(), columns, strict=True):
        told = targets[column][:, None] == np.arange(width) if width > 1 else targets[column][:, None]
        outputs[head] = generator.normal(1.5 * told, 1).astype(np.float32)
    return Predictions(
        outputs=outputs,
        targets=targets,
        ids=[str(place) for place in range(N)],
        objective=objective,
        classes={name: tuple("abcdefgh"[:k]) for name, k in columns.items()},
        data="digest",
        split="test",
    )


def delong(scores: np.ndarray, is_own: np.ndarray) -> tuple[float, float]:
    """The 95% interval in log odds, by the definition of its variance, with Satterthwaite's degrees of freedom."""
    ahead = scores[is_own][:, None].astype(float) - scores[~is_own]
    wins = (ahead > 0) + (ahead == 0) / 2
    sides = [wins.mean(axis=axis) for axis in (1, 0)]
    squares = [side.var(ddof=1) / len(side) for side in sides]
    df = sum(squares) ** 2 / sum(one**2 / (len(side) - 1) for one, side in zip(squares, sides, strict=True))
    auc = wins.mean()
    half = stats.t.ppf(0.975, df) * np.sqrt(sum(squares)) / (auc * (1 - auc))
    low, high = stats.logistic.cdf(stats.logistic.ppf(auc) + np.array([-half, half]))
    return low, high


BINARY = predictions("binary(column=label)", {"label": 2}, {"label": 1})
TWO_HEADS = predictions(
    "multi-head(first=binary(column=shape), colour=classes(column=colour))",
    {"shape": 2, "colour": 4},
    {"first": 1, "colour": 4},
)
CLASSES = predictions("classes(column=label)", {"label": 5})


def test_an_area_on_record_has_delongs_interval() -> None:
    scores = metrics_of(BINARY)
    found = score_intervals(scores, N, lambda: BINARY)
    own = BINARY.targets["label"] == 1
    assert (found["roc_auc"].low, found["roc_auc"].high) == pytest.approx(delong(BINARY.outputs["label"][:, 0], own))
    assert scores["roc_auc"] == pytest.approx(roc_auc_score(own, BINARY.outputs["label"][:, 0]))
    assert found["accuracy"] == wilson(round(scores["accuracy"] * N), N)
    assert set(found) == {"accuracy", "roc_auc"}
    assert {one.over for one in found.values()} == {"pictures"}


def test_of_several_heads_each_area_is_of_its_own_head_and_column() -> None:
    found = score_intervals(metrics_of(TWO_HEADS), N, lambda: TWO_HEADS)
    expected = delong(TWO_HEADS.outputs["first"][:, 0], TWO_HEADS.targets["shape"] == 1)
    assert (found["first_roc_auc"].low, found["first_roc_auc"].high) == pytest.approx(expected)
    assert set(found) == {"first_accuracy", "first_roc_auc", "colour_accuracy"}
    assert set(class_estimates(TWO_HEADS)) == {
        "first_calibration_error",
        "colour_calibration_error",
        "colour_macro_roc_auc",
    }


def test_predictions_are_read_for_metrics_that_need_them_alone() -> None:
    def gone() -> Predictions:
        raise UsageError("they were deleted")

    scores = {"accuracy": 0.9, "loss": 0.3, "balanced_accuracy": 0.9, "macro_f1": 0.9, "n": 100}
    assert score_intervals(scores, 100, pytest.fail) == {"accuracy": wilson(90, 100)}
    assert score_intervals({**scores, "roc_auc": 0.95}, 100, gone) == {"accuracy": wilson(90, 100)}


def test_an_area_that_is_not_defined_has_no_interval() -> None:
    only_first = Predictions(
        {"label": np.zeros((3, 1), dtype=np.float32)},
        {"label": np.zeros(3, dtype=np.int64)},
        *(list("abc"), "binary(column=label)", {"label": ("no", "yes")}, "digest", "test"),
    )
    assert "roc_auc" not in score_intervals(metrics_of(only_first), 3, lambda: only_first)


def test_classes_are_told_by_their_mean_area_and_their_calibration_error() -> None:
    found, labels = class_estimates(CLASSES), CLASSES.targets["label"]
    logits = CLASSES.outputs["label"].astype(float)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    area, error = found["macro_roc_auc"], found["calibration_error"]
    assert area.value == pytest.approx(roc_auc_score(labels, probabilities, multi_class="ovr"))
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.ceil(confidence * 15)
    gaps = [abs((right - confidence)[bins == one].sum()) for one in np.unique(bins)]
    assert error.value == pytest.approx(sum(gaps) / N)
    for one in (area, error):
        assert one.interval is not None and one.value in one.interval and one.interval.over == "pictures"


def test_intervals_of_a_run_come_from_its_own_predictions_without_torch(tmp_path: Path) -> None:
    scores = metrics_of(BINARY)
    with RunWriter.create(tmp_path, digest="0" * 64, recipe={}, name="two") as writer:
        writer.predictions(BINARY)
        writer.finish({"test": scores, "validation": {**scores, "n": N}})
    found = run_intervals(Run(writer.folder))
    assert found["test"] == score_intervals(scores, N, lambda: BINARY)
    # Predictions on validation were not stored.
    assert set(found["validation"]) == {"accuracy"}
    code = f"""
import sys
from cnnlab.evaluation import run_intervals
from cnnlab.runs import Run
assert "roc_auc" in run_intervals(Run({str(writer.folder)!r}))["test"]
assert "torch" not in sys.modules and "scipy.stats" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
