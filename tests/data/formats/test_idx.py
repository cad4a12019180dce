"""IDX files: what is written is read, and nothing else is."""

import gzip
import hashlib
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnlab.core.errors import DataError
from cnnlab.data.formats.idx import content_digest, read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    kind = array.dtype.str[1:]
    header = bytes([0, 0, CODES[kind], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(f">{kind}").tobytes()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    array=st.sampled_from(sorted(CODES)).flatmap(
        lambda kind: hnp.arrays(np.dtype(kind), hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
    ),
    compressed=st.booleans(),
)
def test_every_kind_of_array_comes_back_as_it_was(tmp_path: Path, array: np.ndarray, compressed: bool) -> None:
    path = tmp_path / "array"
    path.write_bytes(gzip.compress(idx_bytes(array)) if compressed else idx_bytes(array))
    back = read_idx(path)
    assert back.dtype == array.dtype and back.dtype.isnative
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)
    assert back.flags.writeable


def test_a_file_written_by_hand_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(bytes([0, 0, 0x0B, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0x01, 0x02, 0xFF, 0xFE]))
    assert read_idx(path).tolist() == [[258], [-2]]


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_truncation_is_refused_at_a_hundred_offsets(tmp_path: Path, images: np.ndarray, compressed: bool) -> None:
    whole = gzip.compress(idx_bytes(images)) if compressed else idx_bytes(images)
    offsets = {0, 1, 2, 3, 4, 15, 16, 17, *range(len(whole) - 12, len(whole))}
    offsets |= {int(offset) for offset in np.linspace(18, len(whole) - 13, 100)}
    path = tmp_path / "cut.gz"
    for offset in sorted(offsets):
        path.write_bytes(whole[:offset])
        with pytest.raises(DataError, match=r"cut\.gz.*(cut short|not an IDX file).*\.$"):
            read_idx(path)
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_idx(path), images)


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_trailing_bytes_are_refused(tmp_path: Path, images: np.ndarray, compressed: bool) -> None:
    path = tmp_path / "long"
    for extra in (b"\0", b"garbage" * 1000):
        content = idx_bytes(images) + extra
        path.write_bytes(gzip.compress(content) if compressed else content)
        with pytest.raises(DataError, match=r"long goes on after the 15,680 bytes"):
            read_idx(path)


def test_garbage_behind_the_gzip_data_is_refused(tmp_path: Path, images: np.ndarray) -> None:
    path = tmp_path / "behind.gz"
    path.write_bytes(gzip.compress(idx_bytes(images)) + b"garbage")
    with pytest.raises(DataError, match=r"behind\.gz has damaged gzip data.*download or copy it again"):
        read_idx(path)


def test_flipped_bits_in_gzip_data_never_pass(tmp_path: Path, images: np.ndarray) -> None:
    whole = gzip.compress(idx_bytes(images), mtime=0)
    path = tmp_path / "flipped.gz"
    # Bytes 3 to 9 of a gzip file are flags, time and system: some of them carry no content.
    for place in np.random.default_rng(1).integers(10, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"flipped\.gz"):
            read_idx(path)


@pytest.mark.parametrize(
    "start",
    [b"PK\x03\x04", b"<htm", b"\0\0\x07\x03", b"\0\x01\x08\x03", b"\0\0\x08\0", b"\0\0\x08\xff"],
    ids=["zip", "html", "kind", "zeros", "no dimension", "255 dimensions"],
)
def test_another_magic_is_refused(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(start + bytes(2000))
    with pytest.raises(DataError, match="other is not an IDX file: it starts with the bytes"):
        read_idx(path)


@contextmanager
def little_memory(most: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most


def test_the_memory_check_sees_an_allocation() -> None:
    with pytest.raises(AssertionError), little_memory(1_000_000):
        bytearray(2_000_000)


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_a_header_that_declares_terabytes_costs_no_memory(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "liar"
    for sides in ((1000, 1000, 10), (2**32 - 1,) * 3):
        content = bytes([0, 0, 8, 3]) + struct.pack(">3I", *sides) + bytes(100_000)
        path.write_bytes(gzip.compress(content) if compressed else content)
        with little_memory(5_000_000), pytest.raises(DataError, match="liar is cut short"):
            read_idx(path)


def test_a_gzip_bomb_is_read_no_further_than_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(bytes([0, 0, 8, 1, 0, 0, 1, 0]))
        for _ in range(100):
            file.write(bytes(1_000_000))
    with little_memory(5_000_000), pytest.raises(DataError, match=r"bomb\.gz goes on after the 256 bytes"):
        read_idx(path)


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is missing\. Put the file there"):
        read_idx(tmp_path / "nowhere")
    with pytest.raises(DataError, match="cannot be read: it is no file but a folder"):
        read_idx(tmp_path)


def test_content_digest_is_of_the_decompressed_bytes(tmp_path: Path, images: np.ndarray) -> None:
    content = idx_bytes(images)
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "packed").write_bytes(gzip.compress(content))
    expected = hashlib.sha256(content).hexdigest()
    assert content_digest(tmp_path / "plain") == content_digest(tmp_path / "packed") == expected


def test_real_sets_have_their_published_shapes(data_dir: Path) -> None:
    for name in ("mnist", "fashion-mnist"):
        folder = data_dir / name
        assert read_idx(folder / "t10k-images-idx3-ubyte.gz").shape == (10_000, 28, 28)
        # Both test sets hold a thousand of each class, save MNIST's, whose digits are as they came.
        labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz")
        counts = np.bincount(labels).tolist()
        assert counts == [1000] * 10 or counts == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
