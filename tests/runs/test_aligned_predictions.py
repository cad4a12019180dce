"""Predictions of the same pictures put side by side."""

from typing import Any

import numpy as np
import pytest

from cnnlab.core.errors import UsageError
from cnnlab.runs import Predictions


def make(ids: str = "abc", **changes: Any) -> Predictions:
    """Outputs and targets that follow from the ids, so that a row can be told in any order."""
    rows = np.array([ord(name) for name in ids])
    facts: dict[str, Any] = {
        "outputs": {"label": np.stack([rows, -rows], 1).astype(np.float32)},
        "targets": {"label": rows % 2},
        "ids": list(ids),
        "objective": "classes(column=label)",
        "classes": {"label": ("even", "odd")},
        "data": "d",
        "split": "test",
    }
    return Predictions(**(facts | changes))


def test_rows_come_in_the_order_of_the_first() -> None:
    first, second = make("abc"), make("cab")
    aligned = first.align(second)
    assert aligned.ids == first.ids
    assert aligned.outputs["label"].tolist() == first.outputs["label"].tolist()
    assert aligned.targets["label"].tolist() == first.targets["label"].tolist()
    assert second.ids == ("c", "a", "b")


def test_of_one_order_nothing_is_copied() -> None:
    first, second = make("aab"), make("aab")
    assert first.align(second) is second


@pytest.mark.parametrize(
    "changes",
    [
        {"split": "test@tta"},
        {"data": "other", "images": "p"},
        {"data": "other", "split": "all", "images": "p"},
        {"objective": "another", "classes": {"other": ("x",)}, "targets": {}},
    ],
)
def test_what_was_trained_on_and_what_is_predicted_may_differ(changes: dict[str, Any]) -> None:
    assert make("abc", images="p").align(make("bca", **changes)).ids == ("a", "b", "c")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (make(split="validation"), "one is on test and the other on validation"),
        (make(data="e"), "their data have different content"),
        (make(data="e", images="p"), "their data have different content"),
        (make("abd"), "they are of different pictures"),
        (make("ab"), "they are of different pictures"),
        (make(classes={"label": ("odd", "even")}), "they predict other classes"),
        (make(targets={"label": np.array([1, 1, 1])}), "scored by different targets"),
    ],
)
def test_other_pictures_are_refused_and_it_says_why_and_what_to_do(other: Predictions, why: str) -> None:
    with pytest.raises(UsageError, match=f"{why}.*side by side|side by side.*{why}"):
        make().align(other)


def test_pictures_that_share_a_name_cannot_be_put_in_another_order() -> None:
    with pytest.raises(UsageError, match="different pictures"):
        make("aab").align(make("aba"))
