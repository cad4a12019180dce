"""What every kind of image set must do alike."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab import data
from cnnlab.data import EncodedImages, ImageSet, MappedImages, Subset, TensorImages, memmap

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


@pytest.fixture
def plain(images: ImageSet) -> TensorImages:
    """The same content as a set made of a tensor."""
    pixels, targets = images.batch(torch.arange(len(images)))
    return TensorImages(pixels, targets, images.classes)


def test_batch_is_uint8_channels_first_in_the_order_asked(images: ImageSet, plain: TensorImages) -> None:
    for indices in ([3], [5, 0, 5], torch.arange(12), []):
        pixels, targets = images.batch(indices)
        assert pixels.dtype == torch.uint8 and pixels.shape == (len(indices), *images.shape)
        assert torch.equal(pixels, plain.batch(indices)[0])
        assert targets["label"].tolist() == [int(index) // 6 for index in indices]


def test_batch_may_be_written_to_without_harm(images: ImageSet) -> None:
    before = images.digest
    pixels, targets = images.batch([0, 1])
    kept = pixels.clone()
    pixels.zero_()
    targets["label"].fill_(1)
    assert torch.equal(images.batch([0, 1])[0], kept) and images.targets["label"][0] == 0
    assert images.digest == before


def test_index_out_of_range_is_refused(images: ImageSet) -> None:
    with pytest.raises(IndexError):
        images.batch([12])


def test_ids_name_the_files(images: ImageSet) -> None:
    assert list(images.ids) == [f"{label}/{n}.png" for label in ("cat", "dog") for n in range(6)]
    assert images.ids[7] == "dog/1.png" and list(images.ids[5:7]) == ["cat/5.png", "dog/0.png"]


def test_digest_and_statistics_are_those_of_the_content(images: ImageSet, plain: TensorImages) -> None:
    assert images.digest == plain.digest
    assert data.statistics(images) == data.statistics(plain)
    assert np.array_equal(images.image_digests, plain.image_digests)
    assert torch.equal(images.moments, plain.moments)
    assert torch.equal(torch.cat(list(images.chunks())), plain.pixels())


def test_selection_reads_the_images_chosen(images: ImageSet, plain: TensorImages) -> None:
    chosen = images.select([7, 2])
    assert torch.equal(chosen.batch([1, 0])[0], plain.batch([2, 7])[0])
    assert list(chosen.ids) == ["dog/1.png", "cat/2.png"]
    assert chosen.digest == plain.select([7, 2]).digest


def test_pixels_are_the_whole_set_or_none(images: ImageSet, plain: TensorImages) -> None:
    pixels = images.pixels()
    assert (pixels is None) == (not isinstance(images, TensorImages))
    assert pixels is None or torch.equal(pixels, plain.pixels())


def test_batches_may_be_read_from_several_threads(images: ImageSet, plain: TensorImages) -> None:
    orders = [torch.randperm(12, generator=torch.Generator().manual_seed(seed)) for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        for order, (pixels, _) in zip(orders, pool.map(images.batch, orders), strict=True):
            assert torch.equal(pixels, plain.batch(order)[0])
