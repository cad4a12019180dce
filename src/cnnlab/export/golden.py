"""Pictures with the answers to them, beside an exported file: whoever runs it elsewhere sees if it does as here."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.digests import digest, file_digest
from cnnlab.core.errors import ModelFileError
from cnnlab.core.files import open_regular, replacing

COUNT = 16
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Golden:
    """Pictures and what is answered.

    :param images: uint8, N×C×H×W.
    :param outputs: of the file, N×K float32, as it was run where it was exported.
    :param expected: what torch answered, which numbers of 8 bits only come near to.
    """

    images: NDArray[np.uint8]
    outputs: NDArray[np.float32]
    expected: NDArray[np.float32]


def golden_path(path: Path) -> Path:
    """Where the pictures of an exported file lie: ``model.onnx.golden.npz`` beside ``model.onnx``."""
    return path.with_name(f"{path.name}.golden.npz")


def write_with_golden(path: Path, content: bytes, golden: Golden) -> None:
    """Writes an exported file and, beside it, pictures with the answers to them, for numpy to read.

    Where one of the two cannot be written, neither is. Between the two a process may be killed, so the pictures say
    which file they are of.
    """
    arrays: dict[str, Any] = {"images": golden.images, "outputs": golden.outputs, "expected": golden.expected}
    with replacing(golden_path(path)) as beside, replacing(path) as temporary:
        temporary.write_bytes(content)
        with beside.open("wb") as file:
            np.savez(file, **arrays, exported=np.array(digest(content)))


def read_golden(path: str | Path) -> Golden:
    """The pictures and answers beside an exported file.

    :param path: of the exported file.
    :raises ModelFileError: where they are missing or damaged, or are of another file.
    """
    path = Path(path)
    beside = golden_path(path)
    try:
        with open_regular(beside) as file, np.load(file, allow_pickle=False) as arrays:
            if sum(info.file_size for info in arrays.zip.infolist()) > _MOST_BYTES:
                raise ValueError("it would take more than a gigabyte of memory")
            golden, exported = _checked(arrays), str(_array(arrays, "exported"))
    except FileNotFoundError as error:
        raise ModelFileError(f"there is no {beside}. Copy it along with {path.name}, or export anew.") from error
    except Exception as error:  # the header of an array is read as Python, and what is damaged may fail in any way
        raise ModelFileError(f"{beside} is damaged or cut short ({error}). Take a whole copy of it.") from error
    try:
        own = file_digest(path)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    if own != exported:
        raise ModelFileError(f"{beside} is of another file than {path.name} is now. Copy both, or export anew.")
    return golden


def _checked(arrays: Any) -> Golden:
    """The three arrays of a file.

    :raises ValueError: where they are of other kinds than those that are written.
    """
    golden = Golden(*(_array(arrays, name) for name in ("images", "outputs", "expected")))
    kinds = [(array.dtype.name, array.ndim) for array in (golden.images, golden.outputs, golden.expected)]
    if kinds != [("uint8", 4), ("float32", 2), ("float32", 2)]:
        raise ValueError(f"its arrays are {kinds}")
    if not len(golden.images) == len(golden.outputs) == len(golden.expected) > 0:
        raise ValueError("it has not as many answers as pictures")
    return golden


def _array(arrays: Any, name: str) -> Any:
    """One array, looked at before room is made for all that it says it holds."""
    with arrays.zip.open(f"{name}.npy") as stream:
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize > _MOST_BYTES:
            raise ValueError(f"{name} has the shape {list(shape)}")
    return arrays[name]
