"""NumPy's .npz files."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cnnlab.core.errors import DataError
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
        with np.load(path, allow_pickle=False) as arrays:
            return content_of_arrays(str(path), arrays.files, arrays.__getitem__, targets)


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, OSError, MemoryError) as error:
        pickled = "pickle" in str(error)
        why = "it holds Python objects, which are not read because they could run a program" if pickled else error
        raise DataError(
            f"{path} cannot be read as .npz: {why}. Save plain arrays with numpy.savez, or copy the file again."
        ) from error
