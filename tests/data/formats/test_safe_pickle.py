"""Pickles are read without trusting what they say of their own size."""

import io
import pickle
import tracemalloc

import pytest

from cnnlab.data.formats.safe_pickle import load_pickle

_LARGE = 3 << 20


@pytest.mark.parametrize("code", [pickle.BYTEARRAY8, pickle.BINBYTES8, pickle.BINUNICODE8, pickle.FRAME])
def test_bytes_that_are_only_declared_take_no_memory(code: bytes) -> None:
    content = pickle.PROTO + b"\x05" + code + (1 << 32).to_bytes(8, "little") + b"abc"
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"\w"):
            load_pickle(io.BufferedReader(io.BytesIO(content)))  # type: ignore[arg-type]
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("value", "protocol"),
    [
        *((value, 5) for value in (bytearray(b"x" * _LARGE), b"y" * _LARGE, [bytearray(b""), b"", ""])),
        *(("z" * _LARGE, protocol) for protocol in range(2, 6)),
    ],
    ids=["bytearray", "bytes", "nothing", "text by 2", "text by 3", "text by 4", "text by 5"],
)
def test_bytes_that_are_there_are_read_whole(value: object, protocol: int) -> None:
    found = load_pickle(io.BytesIO(pickle.dumps({"content": value}, protocol)))
    assert found == {"content": value} and type(found["content"]) is type(value)
