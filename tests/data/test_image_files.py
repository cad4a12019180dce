"""Pictures given one by one, for prediction."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab import data
from cnnlab.core.errors import DataError

Write = Callable[..., Path]
Make = Callable[..., bytes]


def test_files_are_brought_to_the_shape(write: Write, image: Make) -> None:
    folder = write({"a.png": image(0, size=(9, 7)), "b.jpg": image(1, kind="JPEG")})
    pixels, ids = data.read_images([folder / "b.jpg", folder / "a.png"], shape=(1, 5, 5))
    assert pixels.shape == (2, 1, 5, 5)
    assert ids == [str(folder / "b.jpg"), str(folder / "a.png")]


def test_same_image_reads_as_in_training(write: Write, files: Callable[..., dict]) -> None:
    folder = write(files())
    train = data.load_data(f"folder({folder}, size=5, resize=crop)", validation=0, test=0).train
    pixels, _ = data.read_images([folder / name for name in train.ids], shape=train.shape, resize="crop")
    assert np.array_equal(pixels, train.pixels())


@pytest.mark.parametrize("target", ["photos", "photos.zip", "photos.tar.gz"])
def test_folders_and_archives_stand_for_their_images(write: Write, image: Make, target: str) -> None:
    path = write({"b/2.png": image(2), "a/1.png": image(1), "notes.txt": b"x"}, target)
    pixels, ids = data.read_images([path], shape=(3, 4, 6))
    assert ids == [f"{path}/a/1.png", f"{path}/b/2.png"]
    expected = np.asarray(Image.open(io.BytesIO(image(1)))).transpose(2, 0, 1)
    assert np.array_equal(pixels[0], expected)


def test_every_file_that_is_no_image_is_named(write: Write, image: Make) -> None:
    folder = write({"a.png": image(0), "b.png": image(1)[:50], "c.png": b"x"})
    with pytest.raises(DataError) as caught:
        data.read_images([*folder.iterdir(), folder / "d.png"], shape=(3, 4, 4))
    for told in ("b.png: it is", "c.png: it is not a picture", "d.png: there is no such file"):
        assert told in str(caught.value)
    assert "a.png" not in str(caught.value)


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures among"):
        data.read_images([tmp_path], shape=(1, 4, 4))


def test_same_file_twice_is_read_twice(write: Write, image: Make) -> None:
    path = write({"a.png": image(0)}) / "a.png"
    assert data.read_images([path, path], shape=(3, 4, 4))[1] == [str(path), str(path)]
