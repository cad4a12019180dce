"""Pictures given one by one, for prediction."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab import data
from cnnlab.core.errors import CnnlabWarning, DataError

Write = Callable[..., Path]
Make = Callable[..., bytes]
Files = Callable[..., dict[str, bytes]]


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
    with pytest.raises(DataError, match=r"no picture or folder .*d\.png, .*e\.png\. Check"):
        data.read_images([folder / "a.png", folder / "d.png", folder / "e.png"], shape=(3, 4, 4))
    with pytest.raises(DataError) as caught:
        data.read_images(folder.iterdir(), shape=(3, 4, 4))
    for told in ("b.png: it is", "c.png: it is not a picture"):
        assert told in str(caught.value)
    assert "a.png" not in str(caught.value)


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pictures: it is empty"):
        data.read_images([tmp_path], shape=(1, 4, 4))
    with pytest.raises(DataError, match="no pictures among"):
        data.read_images([], shape=(1, 4, 4))


@pytest.mark.parametrize("target", ["photos", "photos.zip"])
def test_prediction_finds_the_images_that_training_finds(write: Write, files: Files, image: Make, target: str) -> None:
    left = [
        ".ipynb_checkpoints/0-checkpoint.png",
        "cat/._0.png",
        "@eaDir/0.png",
        "$RECYCLE.BIN/0.png",
        "lost+found/0.png",
    ]
    path = write({**files(), **dict.fromkeys(left, b"junk"), "cat/notes.txt": b"x"}, target)
    if path.is_dir():
        (path / "owl").symlink_to(write({"1.png": image(1), "2.png": image(2)}, "elsewhere"))
    trained = data.load_data(f"folder({path}, cache=none)", validation=0, test=0).train
    assert len(trained) == (14 if path.is_dir() else 12)
    assert [found.name for found in data.find_images([path])] == [f"{path}/{name}" for name in sorted(trained.ids)]


def test_files_without_suffix_are_found_as_in_training(write: Write, image: Make) -> None:
    path = write({"cat/1": image(1), "dog/2": image(2), "notes.txt": b"x"})
    assert [found.name for found in data.find_images([path])] == [f"{path}/cat/1", f"{path}/dog/2"]


def test_images_of_kinds_that_are_not_read_are_warned_of_once(write: Write, files: Files) -> None:
    others = {"cat/IMG_0.HEIC": b"x", "cat/IMG_1.heic": b"x", "dog/1.NEF": b"x", "notes.txt": b"x"}
    path = write({**files(), **others})
    told = r"of a kind that is not read \(HEIC, NEF\) were left out, 3 in all: cat/IMG_0.HEIC, .*pillow-heif, rawpy"
    for _ in range(2):
        with pytest.warns(CnnlabWarning, match=told) as caught:
            assert len(data.load_data(path, validation=0, test=0).train) == 12
        assert len(caught) == 1
    with pytest.warns(CnnlabWarning, match=told) as caught:
        assert len(data.find_images([path])) == 12
    assert len(caught) == 1
    (finding,) = (finding for finding in data.check_data(path).findings if "HEIC" in finding.text)
    assert finding.level == "warning"


def test_nothing_but_images_of_such_kinds_is_refused_with_the_reason(write: Write) -> None:
    path = write({"cat/1.heic": b"x", "dog/2.heic": b"x"})
    with pytest.raises(DataError, match=r"no class folders.*HEIC.*pillow-heif"):
        data.load_data(path)
    with pytest.raises(DataError, match=r"1\.heic: HEIC is not read; convert it .*pillow-heif"):
        data.read_images([path / "cat/1.heic"], shape=(3, 4, 4))


def test_same_file_twice_is_read_twice(write: Write, image: Make) -> None:
    path = write({"a.png": image(0)}) / "a.png"
    assert data.read_images([path, path], shape=(3, 4, 4))[1] == [str(path), str(path)]
