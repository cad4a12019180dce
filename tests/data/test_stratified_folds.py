"""Folds of the training pictures: what scikit-learn's stratified folds hold, and copies kept together."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from cnnlab import data
from cnnlab.core.errors import UsageError
from cnnlab.data import Fold, TensorImages, fold_numbers, take_fold
from cnnlab.data.folds import deal

SIZES = st.lists(st.integers(6, 40), min_size=1, max_size=5)


def labelled(labels: list[int], pixels: list[int] | None = None) -> TensorImages:
    """A picture of one pixel for each label, each another one unless the pixels are given."""
    values = torch.tensor(range(len(labels)) if pixels is None else pixels)
    images = torch.stack([values // 256, values % 256], dim=1).to(torch.uint8).reshape(-1, 2, 1, 1)
    names = tuple(f"class {place}" for place in range(max(labels) + 1))
    return TensorImages(images, {"label": torch.tensor(labels)}, {"label": names})


@given(SIZES, st.integers(2, 6), st.integers(0, 5))
def test_classes_and_folds_are_as_even_as_those_of_scikit_learn(sizes: list[int], folds: int, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    own = deal(labels, np.arange(len(labels)), folds, seed)
    theirs = np.empty_like(own)
    for number, (_, inside) in enumerate(StratifiedKFold(folds).split(labels, labels)):
        theirs[inside] = number
    for place in range(len(sizes)):
        in_folds = [np.bincount(each[labels == place], minlength=folds) for each in (own, theirs)]
        assert sorted(in_folds[0]) == sorted(in_folds[1])
    assert np.ptp(np.bincount(own, minlength=folds)) <= 1


def test_a_small_case_worked_by_hand() -> None:
    # Class 0 has five pictures, class 1 has three: 2 + 2 + 1 and 1 + 1 + 1, and no fold is larger than 3.
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    own = deal(labels, np.arange(8), 3, seed=0)
    assert sorted(np.bincount(own[labels == 0]).tolist()) == [1, 2, 2]
    assert np.bincount(own[labels == 1]).tolist() == [1, 1, 1]


@given(SIZES, st.integers(2, 4), st.data())
def test_groups_are_not_parted(sizes: list[int], folds: int, source: st.DataObject) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    groups = np.array(source.draw(st.lists(st.integers(0, 9), min_size=len(labels), max_size=len(labels))))
    own = deal(labels, groups, folds, seed=0)
    assert all(len(set(own[groups == group])) == 1 for group in set(groups.tolist()))


def test_groups_of_one_class_are_spread_over_the_folds() -> None:
    # Six groups of two copies and three single pictures, over three folds: two groups and one picture each.
    groups = np.repeat(np.arange(9), [2] * 6 + [1] * 3)
    own = deal(np.zeros(len(groups), dtype=np.int64), groups, 3, seed=1)
    assert np.bincount(own).tolist() == [5, 5, 5]


def test_copies_of_a_picture_are_in_one_fold_whatever_their_labels() -> None:
    pixels = [*range(20), 3, 3, 7]
    numbers = fold_numbers(labelled([0, 1] * 10 + [0, 1, 1], pixels), 4, seed=0)
    assert numbers[3] == numbers[20] == numbers[21] and numbers[7] == numbers[22]


def test_every_picture_is_in_one_fold_and_another_seed_makes_other_folds() -> None:
    train = data.load_data("digits").train
    first, again, other = (fold_numbers(train, 5, seed) for seed in (0, 0, 1))
    assert set(first.tolist()) == {1, 2, 3, 4, 5}
    assert (first == again).all() and (first != other).any()
    agree = float((first == other).mean())
    # Independent divisions of five agree on a fifth of the pictures.
    assert agree == pytest.approx(0.2, abs=0.05)


def test_the_fold_of_a_picture_has_nothing_to_do_with_its_place() -> None:
    numbers = fold_numbers(labelled([0] * 400), 4, seed=3)
    halves = [np.bincount(part, minlength=5)[1:] for part in (numbers[:200], numbers[200:])]
    assert not (halves[0] == 50).all() and all(abs(count - 50) < 20 for half in halves for count in half)


def test_one_fold_is_held_out_and_validation_and_test_stay_whole() -> None:
    whole = data.load_data("digits")
    each = [data.load_data("digits", folds=3, fold=number, seed=4) for number in (1, 2, 3)]
    names = [set(part.held_out.images.ids) for part in each]
    assert set().union(*names) == set(whole.train.ids) and sum(map(len, names)) == len(whole.train)
    for part, inside in zip(each, names, strict=True):
        assert set(part.train.ids) == set(whole.train.ids) - inside
        assert (part.validation.digest, part.test.digest) == (whole.validation.digest, whole.test.digest)
        assert part.whole_digest == whole.digest and part.digest != whole.digest
    taken = take_fold(whole, Fold(2, 3), 4)
    assert (taken.digest, taken.held_out.images.digest) == (each[1].digest, each[1].held_out.images.digest)


def test_numbers_are_divided_at_random() -> None:
    images = TensorImages(torch.arange(10, dtype=torch.uint8).reshape(-1, 1, 1, 1), {"age": torch.arange(10.0)})
    assert np.bincount(fold_numbers(images, 3, 0)).tolist() == [0, 4, 3, 3]


@pytest.mark.parametrize(
    ("labels", "folds", "message"),
    [
        ([0] * 9 + [1] * 3, 4, "of class 1 there are 3. Take folds=3 at the most."),
        ([0] * 9 + [1], 2, "of class 1 there are 1. Add pictures of it, or leave folds out."),
    ],
)
def test_more_folds_than_pictures_of_a_class_are_refused(labels: list[int], folds: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fold_numbers(labelled(labels), folds, 0)


def test_copies_count_once_where_a_class_is_divided() -> None:
    with pytest.raises(UsageError, match=r"of class 1 there are 2\. Take folds=2"):
        fold_numbers(labelled([0] * 5 + [1] * 4, [0, 1, 2, 3, 4, 9, 9, 9, 10]), 3, 0)


def test_folds_are_checked_when_data_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="folds=500 puts pictures of every class in every fold"):
        data.load_data("digits", folds=500)
