"""The value of white in pictures of more than 8 bits: told by the largest of all, said, and remembered."""

import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab import data
from cnnlab.core.errors import CnnlabWarning, DataError
from cnnlab.data import loading

Write = Callable[..., Path]
Make = Callable[..., bytes]
WHOLE = {"validation": 0, "test": 0}
RAMP = np.linspace(0, 255, 24).round().astype(np.uint8).reshape(4, 6)
LABELS = ("cat", "dog")


def deep(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def tree(make: Callable[[int], bytes], suffix: str = "png", count: int = 3) -> dict[str, bytes]:
    return {f"{label}/{number}.{suffix}": make(number) for label in LABELS for number in range(count)}


def pixels_of(spec: object) -> np.ndarray:
    return data.load_data(spec, **WHOLE).train.batch([0])[0][0, 0].numpy()


def test_whole_numbers_of_32_bits_up_to_255_are_as_bright_as_bytes(write: Write) -> None:
    path = write(tree(lambda _: deep(RAMP.astype(np.int32), "TIFF"), "tif"))
    assert np.array_equal(pixels_of(path), RAMP)
    assert np.array_equal(data.read_images([path / "cat/0.tif"], shape=(1, 4, 6))[0][0, 0], RAMP)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("cache", ["none", "raw", "encoded"])
def test_as_many_bits_as_the_largest_needs_are_used(write: Write, bits: int, cache: str) -> None:
    white = 2**bits - 1
    values = (RAMP.astype(np.int64) * white // 255).astype(np.uint16)
    found = pixels_of(f"folder({write(tree(lambda _: deep(values)))}, cache={cache})")
    assert np.abs(found.astype(int) - RAMP).max() <= 1 and found.max() == 255


@pytest.mark.filterwarnings("ignore:.*exact duplicates")
def test_one_white_holds_for_all_splits_and_is_said_and_recorded(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    dark, bright = deep(np.full((4, 6), 900, np.uint16)), deep(np.full((4, 6), 4000, np.uint16))
    names = tree(lambda _: dark)
    path = write({f"{split}/{name}": dark for split in ("train", "val") for name in names})
    (path / "val" / "dog" / "9.png").write_bytes(bright)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level("INFO", "cnnlab"):
            dataset = loading.load_data(path, test=0)
        # 900 / 4095 × 255 = 56.04
        assert dataset.train.pixels().unique().tolist() == [56]
        assert dataset.source["white"] == 4095
        assert "4,095 is taken for white" in caplog.text and "white= says otherwise" in caplog.text
    (told,) = (finding for finding in data.check_data(path).findings if "white" in finding.text)
    assert told.level == "info" and "4,095" in told.text


def test_the_white_that_is_said_decides(write: Write) -> None:
    values = np.array([[0, 100, 200, 300]], np.uint16)
    path = write(tree(lambda _: deep(values)))
    assert pixels_of(f"folder({path}, white=200)").tolist() == [[0, 128, 255, 255]]
    assert pixels_of(path).tolist() == [[0, 25, 50, 75]]
    assert data.load_data(f"folder({path}, white=200)", **WHOLE).source["notes"] == []


@pytest.mark.parametrize(("largest", "white"), [(65_536, 131_071), (1_000_000, 1_048_575), (2**31 - 1, 2**31 - 1)])
def test_more_than_16_bits_are_read_by_the_same_rule(write: Write, largest: int, white: int) -> None:
    values = np.array([[0, largest // 3, largest]], np.int32)
    path = write(tree(lambda _: deep(values, "TIFF"), "tif"))
    expected = [round(value * 255 / white) for value in values[0].tolist()]
    assert pixels_of(path).tolist() == [expected] and expected[2] >= 127
    assert pixels_of(f"folder({path}, white={largest})").tolist() == [[0, 85, 255]]


KINDS = {
    "int32": (np.int32, 4080, 4095),
    "int64 up to 255": (np.int64, 255, 255),
    "uint32 of 20 bits": (np.uint32, 1_000_000, 1_048_575),
    "float32 up to 1": (np.float32, 1, 1),
    "float32 up to 255": (np.float32, 255, 255),
    "float64 of 12 bits": (np.float64, 4080, 4095),
}
"""Kinds of numbers that do not say what is white, with their largest value and what is white then."""


def numbers(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Four pictures, the first of them dark, and what they are as bytes."""
    kind, largest, white = KINDS[name]
    shares = np.stack([RAMP / 2550, RAMP / 255, RAMP[::-1] / 255, RAMP.T.reshape(4, 6) / 611])
    values = shares * largest
    values = (values if np.dtype(kind).kind == "f" else values.round()).astype(kind)
    return values, np.floor(values.astype(np.float64) / white * 255 + 0.5).astype(np.uint8)


class Items(torch.utils.data.Dataset):
    def __init__(self, values: np.ndarray) -> None:
        self.values, self.classes = values, list(LABELS)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: int) -> tuple[np.ndarray, int]:
        return self.values[place], place % 2


def as_npz(values: np.ndarray, path: Path) -> object:
    np.savez(path / "a.npz", x_train=values, y_train=np.arange(len(values)) % 2)
    return path / "a.npz"


def as_hdf5(values: np.ndarray, path: Path) -> object:
    with h5py.File(path / "a.h5", "w") as file:
        file["x_train"], file["y_train"] = values, np.arange(len(values)) % 2
    return path / "a.h5"


def as_folder(values: np.ndarray, path: Path) -> object:
    for place, picture in enumerate(values):
        (path / LABELS[place % 2]).mkdir(exist_ok=True)
        (path / LABELS[place % 2] / f"{place}.tif").write_bytes(deep(picture, "TIFF"))
    return path


WAYS: dict[str, Callable[[np.ndarray, Path], object]] = {
    "array": lambda values, path: (values, np.arange(len(values)) % 2),
    "torch Dataset": lambda values, path: Items(values),
    "npz": as_npz,
    "hdf5": as_hdf5,
    "folder": as_folder,
}


@pytest.mark.parametrize(
    ("way", "kind"),
    # Pillow reads and writes no files of the other kinds.
    [(way, kind) for way in WAYS for kind in KINDS if way != "folder" or KINDS[kind][0] in (np.int32, np.float32)],
)
@pytest.mark.filterwarnings("ignore:a tenth", "ignore:there is no")
def test_pictures_are_as_bright_whichever_way_they_come(way: str, kind: str, tmp_path: Path) -> None:
    values, expected = numbers(kind)
    dataset = data.load_data(WAYS[way](values, tmp_path), **WHOLE)
    places = np.argsort([int(re.sub(r"\D", "", name)) for name in dataset.train.ids])
    assert np.array_equal(dataset.train.batch(places.tolist())[0][:, 0].numpy(), expected)
    white = KINDS[kind][2]
    said = {"float_white": white} if "float" in kind else {"white": white}
    assert {key: value for key, value in dataset.source.items() if "white" in key and value is not None} == said


def test_data_of_another_white_is_other_data() -> None:
    labels = np.arange(4) % 2
    scales = [np.stack([RAMP] * 4) * np.float64(factor) for factor in (1, 1 / 255)]
    first, second = (data.load_data((values, labels), **WHOLE) for values in scales)
    assert torch.equal(first.train.pixels(), second.train.pixels()) and first.digest != second.digest


def test_numbers_that_would_be_nearly_black_are_warned_of() -> None:
    # As scikit-learn's digits, which end at 16.
    digits = np.arange(24 * 4).reshape(4, 4, 6) % 17.0
    with pytest.warns(CnnlabWarning, match=r"255 is taken for white, and the largest value of all is 16, .* white="):
        data.load_data((digits, np.arange(4) % 2), **WHOLE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = data.from_arrays(digits, np.arange(4) % 2, white=16, validation=0, test=0)
    assert said.train.pixels().max() == 255 and said.source["float_white"] == 16


def test_bytes_are_bytes_whatever_is_white_in_others(tmp_path: Path) -> None:
    path = as_npz(np.stack([RAMP] * 4), tmp_path)
    assert np.array_equal(pixels_of(f"npz({path}, white=4095)"), RAMP)
    mixed = data.from_arrays(np.stack([RAMP] * 4), test=(np.stack([RAMP] * 2) * np.uint16(16), None), validation=0)
    assert np.array_equal(mixed.train.pixels()[0, 0], RAMP) and mixed.source["white"] == 4095


def test_whole_numbers_and_floats_may_have_a_white_each(tmp_path: Path) -> None:
    path = as_npz(np.stack([RAMP / 255] * 4), tmp_path)
    assert np.array_equal(pixels_of(f"npz({path}, white=[4095, none])"), RAMP)
    assert np.array_equal(pixels_of(f"npz({path}, white=[4095, 0.5])"), np.minimum(RAMP.astype(int) * 2, 255))


@pytest.mark.parametrize("values", [[0.0, np.nan], [-1.0, 1.0], [0.0, np.inf], [0.0, 1e30]])
def test_pictures_of_floats_that_are_none_are_told_by_name(write: Write, values: list[float]) -> None:
    path = write(tree(lambda _: deep(np.array([values], np.float32), "TIFF"), "tif"))
    with pytest.raises(DataError, match=r"(cat|dog)/\d\.tif: its pixels are numbers from .*, and black is 0"):
        data.load_data(path)


def test_a_single_deep_picture_among_many_others_is_found(write: Write, image: Make) -> None:
    contents = tree(lambda number: image(number, mode="L"), count=40)
    contents["dog/37.png"] = deep(RAMP.astype(np.uint16) * 16)
    train = data.load_data(write(contents), **WHOLE).train
    assert train.shape == (1, 4, 6)
    # 255 × 16 = 4080, of which white is 4095.
    expected = (RAMP.astype(int) * 16 * 255 + 2047) // 4095
    assert np.array_equal(train.pixels()[list(train.ids).index("dog/37.png"), 0], expected)


def test_arrays_in_a_file_are_read_likewise(tmp_path: Path) -> None:
    labels = np.arange(6) % 2
    deep_ramp = np.repeat((RAMP.astype(np.uint16) * 16)[None], 6, axis=0)
    np.savez(tmp_path / "a.npz", x_train=deep_ramp // 2, y_train=labels, x_test=deep_ramp, y_test=labels)
    dataset = data.load_data(tmp_path / "a.npz", validation=0)
    expected = (RAMP.astype(int) * 16 * 255 + 2047) // 4095
    assert np.array_equal(dataset.test.pixels()[0, 0], expected) and dataset.source["white"] == 4095
    assert dataset.train.pixels().max() == (255 * 8 * 255 + 2047) // 4095
    said = data.load_data(f"npz({tmp_path / 'a.npz'}, white=8160)", validation=0)
    assert said.test.pixels().max() == 128
