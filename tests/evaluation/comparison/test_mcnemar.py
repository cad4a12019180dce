"""Two classifiers on the same pictures: the exact test of McNemar, and when it is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnlab
from cnnlab.core.errors import UsageError
from cnnlab.evaluation import compare_predictions
from cnnlab.evaluation.comparison.mcnemar import McNemarResult, mcnemar_p
from cnnlab.evaluation.intervals import tango
from cnnlab.runs import Predictions

COUNTS = st.integers(0, 60)


def predictions(right: list[bool], **changes: object) -> Predictions:
    """Of two classes, right or wrong as told; every picture is of class 0."""
    facts = {
        "outputs": {
            "label": np.array([[1.0, 0.0] if is_right else [0.0, 1.0] for is_right in right], dtype=np.float32)
        },
        "targets": {"label": np.zeros(len(right), dtype=np.int64)},
        "ids": [str(place) for place in range(len(right))],
        "objective": "classes(column=none)",
        "classes": {"label": ("cat", "dog")},
        "data": "d",
        "split": "test",
    }
    return Predictions(**{**facts, **changes})  # type: ignore[arg-type]


def compared(both: int, first: int, second: int, neither: int) -> McNemarResult:
    a = [True] * both + [True] * first + [False] * second + [False] * neither
    b = [True] * both + [False] * first + [True] * second + [False] * neither
    return compare_predictions(predictions(a), predictions(b), names=("A", "B"))


@given(COUNTS, COUNTS)
def test_p_value_does_not_depend_on_which_is_first(first: int, second: int) -> None:
    assert mcnemar_p(first, second) == mcnemar_p(second, first)


@given(COUNTS, COUNTS, st.integers(1, 500))
def test_interval_is_tangos_and_agrees_with_the_exact_test(first: int, second: int, both: int) -> None:
    found = compared(both, first, second, 3)
    expected = tango(first, second, found.n)
    assert found.interval.low <= found.difference <= found.interval.high
    assert (found.interval.low > 0 or found.interval.high < 0) == (found.p_value <= 0.05)
    # Wider than Tango's only so far as to hold 0.
    assert found.interval.low == expected.low or (found.interval.low, expected.low > 0) == (0.0, True)
    assert found.interval.high == expected.high or (found.interval.high, expected.high < 0) == (0.0, True)


def test_counts_accuracies_and_verdict() -> None:
    result = compared(70, 15, 4, 11)
    assert (result.n, result.both_right, result.only_first, result.only_second, result.both_wrong) == (
        100,
        70,
        15,
        4,
        11,
    )
    assert result.accuracies == (0.85, 0.74)
    assert result.difference == pytest.approx(0.11)
    assert result.verdict == "differ"
    assert result.sentence.startswith("A and B differ on these pictures (+11.00 points")
    assert compared(70, 4, 15, 11).verdict == "differ"


def test_too_few_disagreements_ask_for_more_images() -> None:
    result = compared(90, 4, 2, 4)
    assert result.verdict == "undecided"
    assert result.images_needed is not None and result.images_needed > 1000
    assert f"about {result.images_needed:,} would be needed to see a difference of 2.00 points" in result.sentence


def test_so_many_images_find_it_four_times_out_of_five() -> None:
    result = compared(90, 6, 2, 2)
    n, generator = result.images_needed or 0, np.random.default_rng(0)
    outcomes = generator.multinomial(n, [0.06, 0.02, 0.92], size=2000)
    seen = np.mean([mcnemar_p(first, second) <= 0.05 for first, second, _ in outcomes])
    assert 0.75 < seen < 0.85


def test_alike_classifiers_are_seldom_told_apart() -> None:
    outcomes = np.random.default_rng(1).multinomial(500, [0.04, 0.04, 0.92], size=2000)
    assert np.mean([mcnemar_p(first, second) <= 0.05 for first, second, _ in outcomes]) <= 0.05


def test_the_same_mistakes_are_identical() -> None:
    result = compared(9, 0, 0, 1)
    assert (result.verdict, result.p_value) == ("identical", 1.0)
    assert "right about the same 9 of 10 pictures" in result.sentence


def test_images_in_another_order_are_matched_by_their_ids() -> None:
    first = predictions([True, True, False])
    second = predictions([False, False, True], ids=["2", "1", "0"])
    result = compare_predictions(first, second)
    assert (result.both_right, result.only_first, result.both_wrong) == (1, 1, 1)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"data": "e"}, "data have different content"),
        ({"data": "e", "images": "p"}, "data have different content"),
        ({"split": "validation"}, "one is on test and the other on validation"),
        ({"ids": ["0", "1", "7"]}, "different pictures"),
        ({"classes": {"label": ("cat", "owl")}}, "other classes"),
        ({"targets": {"label": np.array([0, 0, 1])}}, "different targets"),
    ],
)
def test_other_images_are_refused_and_it_says_why(changes: dict[str, object], why: str) -> None:
    right = [True, True, False]
    with pytest.raises(UsageError, match=why):
        compare_predictions(predictions(right), predictions(right, **changes))


def test_the_same_images_are_compared_whatever_was_trained_on(tmp_path: Path) -> None:
    small = {"data": "digits", "model": "mlp(hidden=[4])", "epochs": 1, "threads": 1}
    runs = [
        cnnlab.train({**small, **part}, runs=tmp_path)
        for part in ({"subset": "splits(train=100)"}, {"subset": "splits(train=50)", "seed": 1})
    ]
    runs.append(cnnlab.train({**small, "subset": "splits(train=100)", "test": 100}, runs=tmp_path))
    first, second, fewer = (run.predictions("test") for run in runs)
    assert first.data != second.data
    assert compare_predictions(first, second).n == len(first)
    # Evaluated later, they are still the same pictures.
    assert compare_predictions(cnnlab.evaluate(runs[0]).predictions, second).n == len(first)
    with pytest.raises(UsageError, match="data have different content"):
        compare_predictions(first, fewer)


def test_it_is_plain_json() -> None:
    document = json.loads(json.dumps(compared(70, 15, 4, 11).to_dict()))
    assert document["test"] == "exact McNemar"
    assert document["verdict"] == "differ"
