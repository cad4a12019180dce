"""The value of white in pictures of more than 8 bits: told by the largest of all, said, and remembered."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab import data
from cnnlab.core.errors import DataError
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


def test_white_beyond_16_bits_must_be_said(write: Write) -> None:
    path = write(tree(lambda _: deep(np.array([[0, 50_000, 100_000]], np.int32), "TIFF"), "tif"))
    with pytest.raises(DataError, match=r"numbers from 0 to 100,000; .* as in white=100000"):
        data.load_data(path)
    assert pixels_of(f"folder({path}, white=100000)").tolist() == [[0, 128, 255]]


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
