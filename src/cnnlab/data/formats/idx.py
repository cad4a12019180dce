"""IDX files, the format of MNIST and its successors, plain or compressed by gzip.

The format (LeCun, http://yann.lecun.com/exdb/mnist): two zero bytes, a byte for the kind of number, a byte for the
count of dimensions, each dimension as a big-endian 32-bit number, then the numbers, big-endian, last dimension fastest.
"""

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import DataError
from cnnlab.core.files import open_regular
from cnnlab.core.limits import check_memory, check_unpacked

_KINDS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_MOST_DIMENSIONS = 8
# Deflate cannot pack tighter than 1032 to 1 (zlib, "Maximum Compression Factor").
_TIGHTEST = 1032
_CHUNK = 1 << 20


def read_idx(path: Path | str) -> npt.NDArray[Any]:
    """The array that an IDX file holds, in the machine's byte order, writable.

    Whether the file is compressed is read off its first bytes, not its name. Memory grows with what is really in
    the file and never beyond what its header declares.

    :raises DataError: when the file is missing, cut short, too long, damaged, or no IDX file.
    """
    path = Path(path)
    with _opened(path) as (stream, most):
        kind, shape = _header(stream, path)
        declared = math.prod(shape) * kind.itemsize
        # Of a file that has not so many bytes it is said that it is cut short.
        if declared <= most:
            check_unpacked(declared, path.stat().st_size, str(path))
            check_memory(declared, str(path))
        content = _body(stream, path, declared, most)
    try:
        array: npt.NDArray[Any] = np.frombuffer(content, kind).reshape(shape)
    except ValueError as error:
        # Without any content, other dimensions may be anything.
        raise DataError(f"{path} holds no pictures, and declares some of {'×'.join(map(str, shape[1:]))}.") from error
    return array.astype(kind.newbyteorder("="), copy=False)


def content_digest(path: Path | str) -> str:
    """SHA-256 in hexadecimal of the bytes in the file, decompressed where it is a gzip file.

    :raises DataError: when the file is missing or its compression is damaged.
    """
    result = hashlib.sha256()
    with _opened(Path(path)) as (stream, _):
        while chunk := stream.read(_CHUNK):
            result.update(chunk)
    return result.hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The decompressed stream, and the most bytes that it can hold judging by the size of the file."""
    try:
        with open_regular(path) as file:
            size = path.stat().st_size
            is_compressed = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            if not is_compressed:
                yield file, size
                return
            with gzip.GzipFile(fileobj=file) as stream:
                yield cast(BinaryIO, stream), size * _TIGHTEST
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing. Put the file there, or give the right path.") from error
    except EOFError as error:
        raise _damaged(path, "is cut short: its gzip data ends too early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, f"has damaged gzip data ({error})") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Give a file that you may read.") from error


def _header(stream: BinaryIO, path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4:
        raise _damaged(path, f"is cut short: it holds {len(magic)} bytes of an IDX header")
    if magic[:2] != b"\0\0" or magic[2] not in _KINDS or not 1 <= magic[3] <= _MOST_DIMENSIONS:
        raise DataError(
            f"{path} is not an IDX file: it starts with the bytes {magic.hex(' ')} where, for pictures, "
            "00 00 08 03 would stand. Give the original file, such as train-images-idx3-ubyte.gz."
        )
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise _damaged(path, "is cut short within its IDX header")
    return np.dtype(_KINDS[magic[2]]), struct.unpack(f">{magic[3]}I", sizes)


def _body(stream: BinaryIO, path: Path, declared: int, most: int) -> bytearray:
    """Exactly ``declared`` bytes, read piece by piece so that a false header costs no memory."""
    content = bytearray()
    while declared <= most and len(content) <= declared:
        chunk = stream.read(min(_CHUNK, declared + 1 - len(content)))
        if not chunk:
            break
        content += chunk
    if len(content) > declared:
        raise _damaged(path, f"goes on after the {declared:,} bytes of numbers that its header declares")
    if len(content) < declared:
        raise _damaged(path, f"is cut short: its header declares {declared:,} bytes of numbers and fewer follow")
    return content


def _damaged(path: Path, what: str) -> DataError:
    return DataError(f"{path} {what}. Delete it and download or copy it again.")
