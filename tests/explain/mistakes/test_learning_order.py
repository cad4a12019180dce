"""When pictures were learned, and which were forgotten."""

import numpy as np
import pytest

from cnnlab.core.errors import UsageError
from cnnlab.explain import LearningOrder, learning_order
from cnnlab.explain.mistakes.learning import learned_counts
from cnnlab.runs import Run


@pytest.fixture
def five() -> LearningOrder:
    """Five pictures over the epochs 1, 3 and 6: at once, late, forgotten, forgotten and learned again, never."""
    right = np.array([[1, 0, 1, 1, 0], [1, 0, 1, 0, 0], [1, 1, 0, 1, 0]], bool)
    zeros = np.zeros(5, np.int64)
    return LearningOrder(
        (1, 3, 6), right, np.where(right, 0.9, 0.2), zeros, zeros, ("a",), tuple("vwxyz"), "test", "five"
    )


def test_a_picture_is_learned_when_it_stays_right_to_the_last(five: LearningOrder) -> None:
    assert five.learned.tolist() == [1, 6, -1, 6, -1]
    assert five.forgettings.tolist() == [0, 0, 1, 1, 0]
    # The fourth was surer on the way, so the second comes first.
    assert five.late.tolist() == [1, 3]
    assert five.forgotten.tolist() == [2] and five.never.tolist() == [4]
    assert [count for _, count in learned_counts(five)] == [1, 0, 2, 1, 1]


def test_it_is_asked_of_the_weights_that_were_kept_but_for_those_before_the_first_epoch(learning: Run) -> None:
    found = learning_order(learning, most=4)
    assert found.epochs == (1, 2, 3)
    last = learning.predictions("validation")
    is_last_selected = learning.info["selected"]["epoch"] == 3
    if is_last_selected:
        assert (found.right[-1] == (last.outputs["label"].argmax(1) == last.targets["label"])).all()
    assert sum(count for _, count in learned_counts(found)) == len(last)
    assert found.ids == tuple(last.ids) and found.late_pixels is not None and len(found.late_pixels) <= 4


def test_a_run_that_kept_the_weights_of_one_epoch_is_told_how_to_keep_more(learning: Run) -> None:
    with pytest.raises(UsageError, match=r"the weights of 1 epoch, so.*snapshots="):
        learning_order(learning, epochs=[0, 2])
