"""Pictures that are in two splits: planted ones are found, and none where there are none."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cnnlab.core.errors import UsageError
from cnnlab.data import Dataset, TensorImages
from cnnlab.explain import near_duplicates


def drawn(count: int, seed: int, side: int = 20) -> NDArray[np.uint8]:
    """Pictures that are alike, as those of one class are: one shape, each with changes of its own."""
    draw = np.random.default_rng(seed)
    shape = np.random.default_rng(99).normal(size=(1, 3, side, side))
    pixels = 128 + 30 * shape + 25 * draw.normal(size=(count, 3, side, side))
    return pixels.clip(0, 255).astype(np.uint8)


def dataset(train: NDArray[np.uint8], test: NDArray[np.uint8], validation: NDArray[np.uint8] | None = None) -> Dataset:
    def images(pixels: NDArray[np.uint8]) -> TensorImages:
        labels = torch.zeros(len(pixels), dtype=torch.int64)
        return TensorImages(torch.from_numpy(pixels.copy()), {"label": labels}, {"label": ("only", "other")})

    return Dataset("planted", images(train), None if validation is None else images(validation), images(test))


def test_a_set_without_doubles_has_none() -> None:
    found = near_duplicates(dataset(drawn(80, 0), drawn(30, 1), drawn(20, 2)))
    assert len(found) == 0 and found.pixels.shape == (0, 2, 3, 20, 20)
    assert found.compared == (("validation", "train", 20), ("test", "train", 30), ("test", "validation", 30))


def test_copies_exact_and_changed_are_found_and_told_apart() -> None:
    train, test = drawn(80, 0), drawn(30, 1)
    noise = np.random.default_rng(7).normal(scale=4, size=train[0].shape)
    test[4] = train[11]
    test[9] = (train[30] * 0.8 + 20 + noise).clip(0, 255).astype(np.uint8)
    found = near_duplicates(dataset(train, test))
    pairs = [(pair.split, pair.place, pair.other_split, pair.other_place, pair.is_exact) for pair in found.pairs]
    assert pairs == [("test", 4, "train", 11, True), ("test", 9, "train", 30, False)]
    assert found.exact == 1 and found.pairs[0].distance == 0 < found.pairs[1].distance <= 0.3
    assert (found.pixels[1, 0] == test[9]).all() and (found.pixels[1, 1] == train[30]).all()
    assert len(near_duplicates(dataset(train, test), threshold=0)) == 1


def test_a_double_with_another_label_is_told() -> None:
    train, test = drawn(40, 0), drawn(12, 1)
    test[3] = train[8]
    whole = dataset(train, test)
    assert whole.test is not None
    whole.test.targets["label"][3] = 1
    (pair,) = near_duplicates(whole).pairs
    assert pair.labels_differ and not near_duplicates(dataset(train, test)).pairs[0].labels_differ


def test_flat_pictures_are_doubles_only_where_they_are_equal() -> None:
    train, test = drawn(40, 0), drawn(12, 1)
    train[5], test[2], test[3] = 40, 90, 40
    found = near_duplicates(dataset(train, test))
    assert [(pair.place, pair.is_exact) for pair in found.pairs] == [(3, True)]


def test_a_threshold_that_is_no_share_is_refused() -> None:
    with pytest.raises(UsageError, match="from 0 to below 1; got 2"):
        near_duplicates(dataset(drawn(12, 0), drawn(12, 1)), threshold=2)
