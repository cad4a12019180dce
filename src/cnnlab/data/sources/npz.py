"""NumPy's .npz files."""

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import DataError
from cnnlab.core.files import open_regular
from cnnlab.core.limits import check_memory
from cnnlab.data.formats.archives import ZipMembers
from cnnlab.data.reading import Content, SearchPath, Source, reader
from cnnlab.data.sources.arrays import content_of_arrays


@reader("npz")
def npz(place: SearchPath, path: str, targets: list[str] | None = None) -> Source:
    """Arrays in an .npz file: x_train, y_train, x_test, y_test, or images and labels."""
    file = place.find(path)
    facts = {"from": str(file.absolute())}
    return Source(
        file.stem,
        lambda: _read(file, targets),
        (file,),
        facts,
        {"kind": "npz", "targets": targets and list(targets)},
    )


def _read(path: Path, targets: Sequence[str] | None) -> Content:
    with _damage_reported(path):
        # What is not safe in any zip is not safe in this one.
        ZipMembers(path)
        with open_regular(path) as file, np.load(file, allow_pickle=False) as arrays:
            _check_shapes(path, arrays.zip)
            return content_of_arrays(str(path), arrays.files, lambda name: _array(path, arrays, name), targets)


def _check_shapes(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuses arrays that declare more numbers, or fewer, than they hold, and all that memory has no room for."""
    total = 0
    for info in archive.infolist():
        if not info.filename.endswith(".npy"):
            continue
        with archive.open(info) as stream:
            shape, dtype = _header(stream)
            held = info.file_size - stream.tell()
        declared = math.prod(shape) * dtype.itemsize
        if not dtype.hasobject and declared != held:
            raise DataError(f"{path}: {info.filename} declares {declared:,} bytes of numbers and holds {held:,}.")
        total += declared
    check_memory(total, str(path))


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if any(side < 0 for side in shape):
        raise ValueError(f"a shape of {shape}")
    return shape, dtype


def _array(path: Path, arrays: Any, name: str) -> NDArray[Any]:
    array = arrays[name]
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: {name} is no array.")
    return array


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        # The header of an array is read as Python, and what is damaged in it can fail in any way.
        pickled = "pickle" in str(error)
        why = "it holds Python objects, which are not read because they could run a program" if pickled else error
        raise DataError(
            f"{path} cannot be read as .npz: {why}. Save plain arrays with numpy.savez, or copy the file again."
        ) from error
