"""Maps over epochs: aligned, and of the weights that were kept."""

import numpy as np
import pytest

from cnnlab.core.errors import UsageError
from cnnlab.explain import embed, embed_epochs
from cnnlab.explain.embedding.epochs import aligned, movement
from cnnlab.runs import Run


def test_turns_mirrors_and_moves_are_undone_and_nothing_is_stretched() -> None:
    points = np.random.default_rng(0).normal(size=(40, 2)) * [3, 1]
    turn = np.array([[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]])
    for change in (turn, turn @ np.diag([1, -1])):
        assert aligned(points @ change + [5, -2], points) == pytest.approx(points)
    twice = aligned(2 * points @ turn, points)
    assert twice - twice.mean(0) == pytest.approx(2 * (points - points.mean(0)))


def test_movement_is_that_of_the_centres_of_classes_in_units_of_the_spread() -> None:
    before = np.array([[-1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    labels = np.array([0, 0, 1, 1])
    assert movement(before, before, labels) == 0
    # Both centres go 3 up; points are 1 from their middle.
    assert movement(before, before + np.array([0, 3]), labels) == pytest.approx(3)


def test_classes_keep_their_places_from_epoch_to_epoch(kept: Run) -> None:
    found = embed_epochs(kept, most=150, method="tsne(iterations=100)", threads=1)
    assert found.epochs == (0, 1, 3) and len({one.ids for one in found.maps}) == 1
    assert found.maps[0].labels is not None
    # The same weights as the last map's, from a start of their own.
    alone = embed(kept, most=150, method="tsne(iterations=100)", threads=1)
    apart = movement(found.maps[-2].positions, alone.positions, found.maps[0].labels)
    assert found.movements[-1] < apart
    accuracies = [one.quality.codes.accuracy for one in found.maps if one.quality.codes is not None]
    assert accuracies[-1] > accuracies[0]


def test_a_run_with_the_weights_of_one_epoch_is_told_how_to_keep_more(kept: Run) -> None:
    with pytest.raises(UsageError, match=r"the weights of one epoch.*snapshots="):
        embed_epochs(kept, [1])
    with pytest.raises(UsageError, match="did not keep its weights after epoch 2"):
        embed_epochs(kept, [1, 2])
