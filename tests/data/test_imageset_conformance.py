"""Every kind of image set against the conformance suite."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cnnlab import data
from cnnlab.data import EncodedImages, ImageSet, MappedImages, Subset, TensorImages, memmap
from cnnlab.testing import check_image_set

KINDS = [TensorImages, MappedImages, EncodedImages, Subset]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def images(
    request: pytest.FixtureRequest,
    write: Callable[..., Path],
    files: Callable[..., dict],
    monkeypatch: pytest.MonkeyPatch,
) -> ImageSet:
    """The twelve pictures of one tree, as each kind of set."""
    path = write(files())
    if request.param is not TensorImages:
        monkeypatch.setattr(memmap, "memory_limit", lambda: 0)
    cache = "encoded" if request.param is EncodedImages else "raw"
    whole = data.load_data(f"folder({path}, cache={cache})", validation=0, test=0).train
    # A selection of a selection that comes out as the whole again.
    made = whole.select(torch.arange(11, -1, -1)).select(list(range(11, -1, -1))) if request.param is Subset else whole
    assert type(made) is request.param
    return made


def test_image_set_keeps_what_image_sets_promise(images: ImageSet) -> None:
    check_image_set(images)


def test_ids_name_the_files(images: ImageSet) -> None:
    assert list(images.ids) == [f"{label}/{n}.png" for label in ("cat", "dog") for n in range(6)]
    assert images.ids[7] == "dog/1.png" and list(images.ids[5:7]) == ["cat/5.png", "dog/0.png"]


def test_labels_are_the_folders(images: ImageSet) -> None:
    assert images.batch([5, 0, 6])[1]["label"].tolist() == [0, 0, 1]


def test_pixels_are_at_hand_where_they_lie_in_memory(images: ImageSet) -> None:
    assert (images.pixels() is None) == (not isinstance(images, TensorImages))
