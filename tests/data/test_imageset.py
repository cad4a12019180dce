"""Image sets: batches, views, digests and statistics."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.core.errors import DataError
from cnnlab.data import Dataset, TensorImages, statistics
from cnnlab.data.memmap import resident

CLASSES = {"label": ("cat", "dog")}


def images(count: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def labelled(count: int = 6, seed: int = 0) -> TensorImages:
    return TensorImages(images(count, seed), {"label": torch.arange(count) % 2}, CLASSES)


def test_batch_gives_images_and_targets_in_the_order_of_the_indices() -> None:
    pixels, targets = labelled().batch(torch.tensor([5, 0, 0]))
    assert torch.equal(pixels, images()[[5, 0, 0]])
    assert targets["label"].tolist() == [1, 0, 0]


def test_view_of_a_view_reads_the_images_of_the_base() -> None:
    view = labelled().select([5, 3, 1]).select([2, 0])
    assert torch.equal(view.batch([0, 1])[0], images()[[1, 5]])
    assert list(view.ids) == ["1", "5"]
    assert torch.equal(view.pixels(), images()[[1, 5]])


def test_digest_of_a_view_is_that_of_a_set_of_the_same_content() -> None:
    base = labelled()
    copy = TensorImages(images()[[4, 1]], {"label": torch.tensor([0, 1])}, CLASSES, ["a", "b"])
    assert base.select([4, 1]).digest == copy.digest == resident(base.select([4, 1])).digest


@pytest.mark.parametrize(
    "other",
    [
        TensorImages(images(seed=1), {"label": torch.arange(6) % 2}, CLASSES),
        TensorImages(images(), {"label": torch.zeros(6).long()}, CLASSES),
        TensorImages(images(), {"label": torch.arange(6) % 2}, {"label": ("cat", "cow")}),
        TensorImages(images().reshape(6, 3, 5, 4), {"label": torch.arange(6) % 2}, CLASSES),
        labelled().select([1, 0, 2, 3, 4, 5]),
    ],
    ids=["pixels", "targets", "classes", "shape", "order"],
)
def test_digest_changes_with_content(other: TensorImages) -> None:
    assert other.digest != labelled().digest


def test_digest_does_not_depend_on_ids() -> None:
    assert TensorImages(images(), ids=list("abcdef")).digest == TensorImages(images()).digest


@given(st.integers(1, 40), st.integers(0, 5))
def test_statistics_are_those_of_numpy(count: int, seed: int) -> None:
    pixels = images(count, seed)
    scaled = pixels.numpy() / 255
    mean, deviation = statistics(TensorImages(pixels))
    np.testing.assert_allclose(mean, scaled.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(deviation, scaled.std((0, 2, 3)), rtol=1e-9)


def test_statistics_of_a_view_are_those_of_its_images_alone() -> None:
    assert statistics(labelled().select([2, 4])) == statistics(TensorImages(images()[[2, 4]]))


@pytest.mark.parametrize(
    ("targets", "classes", "message"),
    [
        ({"label": torch.arange(5)}, {}, "6 pictures and 5 values of label"),
        ({"label": torch.arange(6)}, CLASSES, "label is 2 at picture 2"),
        ({"label": torch.arange(6) - 1}, CLASSES, "label is -1 at picture 0"),
        ({"label": torch.arange(6).int()}, {}, "int32"),
    ],
)
def test_contradicting_targets_are_refused(targets: dict, classes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        TensorImages(images(), targets, classes)


def test_splits_of_different_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="3×5×4"):
        Dataset("x", TensorImages(images()), test=TensorImages(images().reshape(6, 3, 5, 4)))


def test_digest_of_a_dataset_tells_its_splits_apart() -> None:
    first, second = labelled(), labelled(seed=1)
    assert Dataset("x", first, second).digest != Dataset("x", second, first).digest
    assert Dataset("x", first, second).digest == Dataset("y", first, second).digest
    assert Dataset("x", first, second).digest != Dataset("x", first, None, second).digest
