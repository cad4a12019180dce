"""What may stand after ``data=``: names, calls, mappings and bare paths."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab import data
from cnnlab.core.errors import DataError, SpecError
from cnnlab.data.options import ReadOptions

Write = Callable[..., Path]
Files = Callable[..., dict[str, bytes]]
SHARED = (
    "size=none, resize=squash, resampling=bilinear, channels=auto, white=none, on_bad=refuse, dedupe=false, cache=auto"
)


def test_digits_are_bundled() -> None:
    dataset = data.load_data("digits")
    assert {name: len(part) for name, part in dataset.parts()} == {"train": 1294, "validation": 144, "test": 359}
    assert dataset.shape == (1, 8, 8)
    assert dataset.classes["label"] == tuple("0123456789")
    assert "Kaynak" in dataset.source["citation"]


@pytest.mark.slow(3)
def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    train = data.load_data("digits", validation=0, test=0).train
    assert np.array_equal(train.pixels()[:, 0].numpy(), np.rint(bunch.images / 16 * 255))
    assert train.targets["label"].tolist() == bunch.target.tolist()


def test_canonical_form_is_complete_and_the_same_for_every_way_to_say_it() -> None:
    assert data.canonical_data("digits") == f"digits({SHARED})"
    assert data.canonical_data("digits()") == data.canonical_data({"name": "digits"}) == data.canonical_data("digits")
    assert data.canonical_data("digits(size=16)") == data.canonical_data({"name": "digits", "size": 16})
    assert data.canonical_data(data.load_data("digits")) == data.canonical_data("digits")


@pytest.mark.parametrize(
    ("path", "reader"),
    [
        ("photos/", "folder"),
        ("./photos", "folder"),
        ("photos.zip", "folder"),
        ("photos.tar.gz", "folder"),
        ("x.npz", "npz"),
        ("labels.csv", "csv"),
        ("set.h5", "hdf5"),
        ("set.hdf5", "hdf5"),
        ("train-images-idx3-ubyte.gz", "idx"),
        ("cifar-10-python.tar.gz", "cifar"),
        ("~/photos", "folder"),
        ("/somewhere/photos", "folder"),
    ],
)
def test_bare_path_means_a_reader(path: str, reader: str) -> None:
    assert data.canonical_data(path).startswith(f"{reader}(path={path},")
    assert data.canonical_data(Path(path)).startswith(f"{reader}(path=")


def test_path_that_is_no_word_is_understood_where_it_exists(
    write: Write, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(files(), "2024, my photos (new)")
    write(files(), "photos")
    write(files(), "digits")
    monkeypatch.chdir(tmp_path)
    assert len(data.load_data("2024, my photos (new)", validation=0, test=0).train) == 12
    assert data.canonical_data("photos").startswith("folder(path=photos,")
    assert data.canonical_data("digits") == f"digits({SHARED})"
    assert data.canonical_data("./digits").startswith("folder(path=./digits,")


def test_relative_path_is_looked_for_here_then_in_the_data_folder(
    write: Write, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = write(files())
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "none"))
    with pytest.raises(DataError, match="no file or folder photos"):
        data.load_data("folder(photos)")
    by_argument = data.load_data("photos", data_dir=tmp_path)
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    assert data.load_data("folder(photos)").digest == by_argument.digest == data.load_data(photos).digest


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("digit", "Did you mean digits"),
        ("fashon-mnist", "Did you mean fashion-mnist"),
        ("digits(siz=8)", "Did you mean size"),
        ("digits(size=0)", "from 1 to 8,192"),
        ("digits(size=[8])", "2 values"),
        ("digits(resize=stretch)", "squash or crop or pad"),
        ("digits(channels=2)", "auto or grey or colour"),
        ("digits(dedupe=1)", "true or false"),
        ("folder", "needs path"),
        ("digits|digits", "exactly one"),
        ("none", "no data is named.*data=fashion-mnist"),
        ("", "no data is named"),
    ],
)
def test_spec_that_cannot_be_meant_is_refused(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        data.load_data(spec)


def test_every_reader_takes_the_shared_options_and_says_what_it_is() -> None:
    names = {entry.name for entry in data.readers}
    assert {"folder", "csv", "npz", "hdf5", "idx", "cifar", "digits", "clocks", "mnist", "cifar10-jpeg"} <= names
    for entry in data.readers:
        assert set(vars(ReadOptions())) <= set(entry.arguments), entry.name
        assert entry.summary.endswith("."), entry.name


def test_options_are_applied_to_arrays_as_to_files() -> None:
    assert data.load_data("digits(size=[10, 12], channels=colour)").shape == (3, 10, 12)
    padded = data.load_data("digits(size=[8, 16], resize=pad)", validation=0, test=0).train.pixels()
    plain = data.load_data("digits", validation=0, test=0).train.pixels()
    assert torch.equal(padded[..., 4:12], plain) and padded[..., :4].max() == 0


def test_clocks_are_drawn_with_hour_and_minute() -> None:
    dataset = data.load_data("clocks(n=60, size=32)", validation=0)
    assert dataset.shape == (3, 32, 32) and len(dataset.train) == 48 and len(dataset.test) == 12
    assert len(dataset.classes["hour"]) == 12 and len(dataset.classes["minute"]) == 60
    assert data.load_data("clocks(60, 32)", validation=0).digest == dataset.digest
    assert data.load_data("clocks(60, 32, seed=1)", validation=0).digest != dataset.digest


def test_named_set_that_is_not_there_is_told_how_to_come_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CNNLAB_DATA", raising=False)
    with pytest.raises(DataError, match="fashion-mnist"):
        data.load_data("fashion-mnist", offline=True)


@pytest.mark.parametrize("path", ["x/" * 3000, "~nobody-of-this-name/photos", "a/b\0c"])
def test_what_cannot_be_a_path_is_refused(path: str) -> None:
    with pytest.raises((DataError, SpecError)):
        data.load_data(path)


def test_images_that_cannot_fit_in_memory_are_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlab.data.ingest.physical_memory", lambda: 1000)
    with pytest.raises(DataError, match="cache=auto"):
        data.load_data("digits")
