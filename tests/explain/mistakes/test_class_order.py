"""Classes in the order in which those that are confused stand together."""

import numpy as np

from cnnlab.evaluation import Confusion
from cnnlab.explain import class_order, ordered_confusion


def planted(pairs: list[tuple[int, int]], count: int = 6) -> Confusion:
    counts = 90 * np.eye(count, dtype=np.int64) + 1
    for first, second in pairs:
        counts[first, second] += 20
        counts[second, first] += 15
    return Confusion(tuple("abcdef"[:count]), counts)


def test_classes_that_are_taken_for_one_another_become_neighbours() -> None:
    order = class_order(planted([(0, 3), (1, 5), (2, 4)])).tolist()
    places = {label: place for place, label in enumerate(order)}
    assert all(abs(places[a] - places[b]) == 1 for a, b in [(0, 3), (1, 5), (2, 4)])


def test_a_chain_of_likenesses_is_read_from_end_to_end() -> None:
    assert class_order(planted([(0, 2), (2, 4), (4, 1), (1, 5), (5, 3)])).tolist() == [0, 2, 4, 1, 5, 3]


def test_the_counts_are_moved_and_not_changed() -> None:
    before = planted([(0, 3), (1, 5)])
    after = ordered_confusion(before)
    assert after.accuracy == before.accuracy and sorted(after.names) == sorted(before.names)
    for true in before.names:
        for taken in before.names:
            row, column = before.names.index(true), before.names.index(taken)
            assert after.counts[after.names.index(true), after.names.index(taken)] == before.counts[row, column]


def test_two_classes_no_mistakes_and_a_class_without_pictures_leave_no_trouble() -> None:
    assert class_order(planted([], 2)).tolist() == [0, 1]
    assert class_order(Confusion(("a", "b", "c"), np.diag([5, 5, 5]))).tolist() == [0, 1, 2]
    counts = np.array([[5, 0, 3], [0, 0, 0], [2, 0, 5]])
    assert sorted(class_order(Confusion(("a", "b", "c"), counts)).tolist()) == [0, 1, 2]
