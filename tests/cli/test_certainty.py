"""How sure scores are, and whether two runs differ on the same pictures, as the command line tells it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlab.runs import Predictions, Run

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


def test_evaluate_tells_how_sure_the_accuracy_is(cnnlab: Cnnlab, document: Document, trained: Run) -> None:
    from statsmodels.stats.proportion import proportion_confint

    facts = document("evaluate", "last")
    interval = facts["intervals"]["accuracy"]
    low, high = proportion_confint(round(facts["scores"]["accuracy"] * 359), 359, method="wilson")
    assert (interval["low"], interval["high"]) == pytest.approx((low, high))
    assert set(facts["intervals"]) == {"accuracy"}
    assert f"{trained.test.accuracy:.4f} ({low:.4f} to {high:.4f})" in cnnlab("evaluate", "last").stdout
