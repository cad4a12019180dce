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


def test_files_are_brought_to_the_shape(write: Write, picture: Make) -> None:
    folder = write({"a.png": picture(0, size=(9, 7)), "b.jpg": picture(1, kind="JPEG")})
    pixels, ids = data.read_pictures([folder / "b.jpg", folder / "a.png"], shape=(1, 5, 5))
    assert pixels.shape == (2, 1, 5, 5)
    assert ids == [str(folder / "b.jpg"), str(folder / "a.png")]


def test_same_picture_reads_as_in_training(write: Write, files: Callable[..., dict]) -> None:
    folder = write(files())
    train = data.load_data(f"folder({folder}, size=5, resize=crop)", validation=0, test=0).train
    pixels, _ = data.read_pictures([folder / name for name in train.ids], shape=train.shape, resize="crop")
    assert np.array_equal(pixels, train.pixels())


@pytest.mark.parametrize("target", ["photos", "photos.zip", "photos.tar.gz"])
def test_folders_and_archives_stand_for_their_pictures(write: Write, picture: Make, target: str) -> None:
    path = write({"b/2.png": picture(2), "a/1.png": picture(1), "notes.txt": b"x"}, target)
    pixels, ids = data.read_pictures([path], shape=(3, 4, 6))
    assert ids == [f"{path}/a/1.png", f"{path}/b/2.png"]
    expected = np.asarray(Image.open(io.BytesIO(picture(1)))).transpose(2, 0, 1)
    assert np.array_equal(pixels[0], expected)


def test_every_file_that_is_no_picture_is_named(write: Write, picture: Make) -> None:
    folder = write({"a.png": picture(0), "b.png": picture(1)[:50], "c.png": b"x"})
    with pytest.raises(DataError) as caught:
        data.read_pictures([*folder.iterdir(), folder / "d.png"], shape=(3, 4, 4))
    for told in ("b.png: it is", "c.png: it is not a picture", "d.png: there is no such file"):
        assert told in str(caught.value)
    assert "a.png" not in str(caught.value)


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures among"):
        data.read_pictures([tmp_path], shape=(1, 4, 4))


def test_same_file_twice_is_read_twice(write: Write, picture: Make) -> None:
    path = write({"a.png": picture(0)}) / "a.png"
    assert data.read_pictures([path, path], shape=(3, 4, 4))[1] == [str(path), str(path)]
