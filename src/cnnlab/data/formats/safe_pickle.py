"""Pickles of plain values and arrays of bytes, read without trusting them.

A pickle is a program that may call anything it names. This reader runs it with names that stand for arrays of bytes
and for nothing else: not even numpy's own functions are called.
"""

import math
import pickle
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

_PIECE = 1 << 20


class RefusedPickleError(ValueError):
    """The pickle asks for something that arrays of bytes have no need of."""


def load_pickle(stream: BinaryIO) -> Any:
    """The dictionary that the pickle holds, of lists, numbers, text and arrays (uint8).

    Text written by Python 2 comes back as bytes.

    :raises RefusedPickleError: when it names anything other than what makes arrays of bytes.
    :raises ValueError: when it is damaged.
    """
    try:
        return _arrays_for(_Reader(_Pieces(stream), encoding="bytes").load())
    except RefusedPickleError:
        raise
    except Exception as error:
        # A damaged pickle is a damaged program: it can fail in any way.
        raise ValueError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error


class _Pieces:
    """A stream of which no more memory is taken than it has bytes, whatever number a damaged file asks for."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.readline = stream.readline

    def read(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        if size <= _PIECE:
            return self._stream.read(size)
        pieces: list[bytes] = []
        while size > 0 and (piece := self._stream.read(min(size, _PIECE))):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


# The reader written in Python and not the faster one in C: that one sets aside memory for whatever number a damaged
# file puts in its place, and nobody can say what it does not check.
class _Reader(pickle._Unpickler):
    dispatch = dict(pickle._Unpickler.dispatch)

    def load_bytearray8(self) -> None:
        """As of Python, whose own sets aside what the file says before it reads."""
        (size,) = struct.unpack("<Q", self.read(8))  # type: ignore[attr-defined]
        content = self.read(size)  # type: ignore[attr-defined]
        if len(content) < size:
            raise EOFError("cut short")
        self.append(bytearray(content))  # type: ignore[attr-defined]

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8  # type: ignore[assignment]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _MAKERS:
            raise RefusedPickleError(f"asks for {module}.{name}")
        return _Maker(_MAKERS[module, name])

    def persistent_load(self, pid: Any) -> Any:
        raise RefusedPickleError("asks for an object kept elsewhere")


class _Maker:
    """A name of the pickle, which it can call and do nothing else with."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *args: Any) -> Any:
        return self._make(*args)

    def __setstate__(self, state: Any) -> None:
        raise RefusedPickleError("changes what it may only call")


class _Kind:
    """Stands for a numpy dtype, and for uint8 only."""

    __slots__ = ()

    def __init__(self, name: str | bytes, *_: Any) -> None:
        if name not in ("u1", b"u1", "|u1", b"|u1"):
            raise RefusedPickleError(f"holds numbers of the kind {name!r}")

    def __setstate__(self, state: Any) -> None:
        pass


class _Array:
    """Stands for a numpy array, until its pickle has said all of it."""

    __slots__ = ("value",)

    def __init__(self, *_: Any) -> None:
        self.value: npt.NDArray[np.uint8] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, _, is_fortran, content = state
        self.value = _array(content, shape, "F" if is_fortran else "C")


def _array(content: Any, shape: Any, order: Any) -> npt.NDArray[np.uint8]:
    content = bytes(content) if isinstance(content, bytes | bytearray) else b""
    if not isinstance(shape, tuple) or len(content) != math.prod(shape) or order not in ("C", "F"):
        raise ValueError("an array whose bytes do not fit its shape")
    return np.frombuffer(content, np.uint8).reshape(shape, order=order)


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any) -> _Array:
    if not isinstance(kind, _Kind):
        raise ValueError("an array of no kind")
    made = _Array()
    made.value = _array(content, shape, order)
    return made


def _encode(text: str, encoding: str) -> bytes:
    # How Python 3 writes bytes for readers of protocol 2.
    if encoding not in ("latin1", "latin-1"):
        raise RefusedPickleError(f"encodes text as {encoding}")
    return text.encode("latin-1")


_MAKERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _Kind,
    ("numpy", "ndarray"): _Array,
    # The first is numpy 1's name for it, the second numpy 2's.
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
}


def _arrays_for(value: Any) -> Any:
    """The dictionary, with arrays in place of what stands for them at its first level."""
    if not isinstance(value, dict):
        return value
    return {key: item.value if isinstance(item, _Array) else item for key, item in value.items()}
