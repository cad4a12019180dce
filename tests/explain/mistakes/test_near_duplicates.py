"""Pictures that are in two splits: planted ones are found, and none where there are none."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from cnnlab.core.errors import UsageError
from cnnlab.data import Dataset, TensorImages
from cnnlab.explain import near_duplicates
from cnnlab.explain.mistakes.alike_pictures import chance_threshold


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
    assert found.exact == 1 and found.pairs[0].distance == 0 < found.pairs[1].distance <= found.thresholds[0]
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


def moved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([pixels[:, :, :1], pixels[:, :, :-1]], axis=2)


def compressed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    content = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(content, "JPEG", quality=50)
    return np.asarray(Image.open(content)).transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("change", "is_mirrored"),
    [
        (moved, False),
        (compressed, False),
        (lambda pixels: pixels[:, :, ::-1], True),
        (lambda pixels: pixels // 2, False),
    ],
    ids=["moved", "compressed", "mirrored", "darker"],
)
def test_doubles_are_found_whatever_was_done_to_them(
    change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], is_mirrored: bool
) -> None:
    train, test = drawn(80, 0), drawn(30, 1)
    test[9] = change(train[30])
    (pair,) = near_duplicates(dataset(train, test)).pairs
    assert (pair.place, pair.other_place, pair.is_mirrored, pair.is_exact) == (9, 30, is_mirrored, False)


@pytest.mark.parametrize("dimension", [4, 12, 25])
def test_the_threshold_follows_the_dimension_of_the_data(dimension: int) -> None:
    """Of points that are spread evenly hardly one in ten thousand is below it."""
    draw = np.random.default_rng(0)
    # Of ten points in a ball the distances to its middle, sorted, to the power of the dimension are uniform ones.
    volumes = np.sort(draw.random((1000, 10)), axis=1)
    shares = (volumes[:, 0] / volumes[:, -1]) ** (1 / dimension)
    threshold = chance_threshold(shares)
    by_hand = (1 - (1 - 0.1 / 1000) ** (1 / 9)) ** (1 / dimension)
    assert threshold == pytest.approx(by_hand, rel=0.15) and (shares <= threshold).sum() <= 1
    # Some doubles among them hardly move it.
    assert chance_threshold(np.where(np.arange(1000) < 30, 0.01, shares)) == pytest.approx(threshold, rel=0.1)


def test_of_one_picture_nothing_is_near_by_chance() -> None:
    assert chance_threshold(np.array([1.0]), rank=1) == 0
