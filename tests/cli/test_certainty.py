"""How sure scores are, and whether two runs differ on the same pictures, as the command line tells it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cnnlab.runs import Predictions, Run, RunWriter

Cnnlab = Callable[..., Any]
Document = Callable[..., Any]
MakeRun = Callable[..., Path]


def predict(folder: Path, right: Sequence[bool], data: str = "digest") -> None:
    """Stores test predictions that are right as told."""
    outputs = np.array([[1, 0] if is_right else [0, 1] for is_right in right], dtype=np.float32)
    (folder / "predictions").mkdir(exist_ok=True)
    Predictions(
        outputs={"label": outputs},
        targets={"label": np.zeros(len(right), dtype=np.int64)},
        ids=[str(place) for place in range(len(right))],
        objective="classes(column=none)",
        classes={"label": ("zero", "one")},
        data=data,
        split="test",
    ).save(folder / "predictions" / "test.safetensors")


@pytest.fixture
def pair(make_run: MakeRun) -> tuple[Path, Path]:
    return make_run("a"), make_run("b", seed=1)


def test_two_runs_are_compared_image_by_image(cnnlab: Cnnlab, document: Document, pair: tuple[Path, Path]) -> None:
    predict(pair[0], [True] * 95 + [False] * 5)
    predict(pair[1], [True] * 80 + [False] * 20)
    shown = cnnlab("runs", "compare", pair[0].name, pair[1].name).stdout
    assert f"{pair[0].name} and {pair[1].name} differ on these pictures (+15.00 points" in shown
    test = document("runs", "compare", pair[1].name, pair[0].name)["mcnemar"]
    assert (test["verdict"], test["only_first"], test["only_second"]) == ("differ", 0, 15)
    assert test["p_value"] == pytest.approx(2**-14)


def test_runs_on_other_data_are_not_and_it_says_why(
    cnnlab: Cnnlab, document: Document, pair: tuple[Path, Path]
) -> None:
    for folder in pair:
        predict(folder, [True, False], data=folder.name)
    assert "not compared: only predictions of the same pictures" in cnnlab("runs", "compare", "a", "b").stdout
    assert "different content" in document("runs", "compare", "a", "b")["mcnemar"]["refused"]


def test_runs_without_stored_predictions_say_so(cnnlab: Cnnlab, pair: tuple[Path, Path]) -> None:
    assert "no predictions on 'test' stored" in cnnlab("runs", "compare", "a", "b").stdout


def test_three_runs_are_only_set_side_by_side(document: Document, pair: tuple[Path, Path], make_run: MakeRun) -> None:
    make_run("c", seed=2)
    assert "mcnemar" not in document("runs", "compare", "a", "b", "c")


def test_evaluate_tells_how_sure_its_scores_are(cnnlab: Cnnlab, document: Document, trained: Run) -> None:
    from sklearn.metrics import roc_auc_score
    from statsmodels.stats.proportion import proportion_confint

    facts = document("evaluate", "last")
    interval = facts["intervals"]["accuracy"]
    low, high = proportion_confint(round(facts["scores"]["accuracy"] * 359), 359, method="wilson")
    assert (interval["low"], interval["high"]) == pytest.approx((low, high))
    assert set(facts["intervals"]) == {"accuracy", "macro_roc_auc", "calibration_error"}
    assert {one["over"] for one in facts["intervals"].values()} == {"pictures"}
    stored = trained.predictions("test")
    logits, labels = stored.outputs["label"].astype(float), stored.targets["label"]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    area = roc_auc_score(labels, probabilities, multi_class="ovr")
    assert facts["scores"]["macro_roc_auc"] == pytest.approx(area)
    shown = [" ".join(line.split()) for line in cnnlab("evaluate", "last").stdout.splitlines()]
    assert f"accuracy {trained.test.accuracy:.4f} ({low:.4f} to {high:.4f})" in shown
    ends = facts["intervals"]["macro_roc_auc"]
    assert f"macro roc auc {area:.4f} ({ends['low']:.4f} to {ends['high']:.4f})" in shown
    assert "in brackets 95% intervals over test pictures" in shown


def test_runs_show_tells_how_sure_an_area_is(cnnlab: Cnnlab, document: Document, make_run: MakeRun) -> None:
    # Of nine pairs of a yes and a no one is ranked wrongly.
    folder = make_run("two")
    outputs, labels = np.array([[0.1], [0.2], [0.5], [0.4], [0.6], [0.7]], np.float32), np.array([0, 0, 0, 1, 1, 1])
    (folder / "predictions").mkdir()
    Predictions(
        *({"label": outputs}, {"label": labels}, list("abcdef"), "binary(column=label)", {"label": ("no", "yes")}),
        *("digest", "test"),
    ).save(folder / "predictions" / "test.safetensors")
    with RunWriter.open(folder) as writer:
        writer.update(scores={"test": {"accuracy": 5 / 6, "roc_auc": 8 / 9, "loss": 0.4, "n": 6}})
    ends = document("runs", "show", "last")["intervals"]["test"]
    assert set(ends) == {"accuracy", "roc_auc"}
    # Each side's shares of pairs won are 1, 1 and 2/3, with the variance 1/27: DeLong's is twice a third of it.
    odds, half = np.log(8), stats.t.ppf(0.975, 4) * np.sqrt(2 / 81) / (8 / 81)
    low, high = stats.logistic.cdf([odds - half, odds + half])
    assert (ends["roc_auc"]["low"], ends["roc_auc"]["high"]) == pytest.approx((low, high))
    assert (ends["roc_auc"]["method"], ends["roc_auc"]["over"]) == ("DeLong, 6 pictures", "pictures")
    shown = cnnlab("runs", "show", "last").stdout
    assert "scores, in brackets 95% intervals over pictures" in shown
    assert f"0.8889 ({low:.4f} to {high:.4f})" in shown
