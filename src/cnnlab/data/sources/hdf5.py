"""HDF5 files, read a piece at a time."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnlab.core.errors import DataError
from cnnlab.core.files import open_regular
from cnnlab.core.lazy_imports import require
from cnnlab.core.limits import check_memory, check_unpacked
from cnnlab.data.reading import Content, SearchPath, Source, reader
from cnnlab.data.sources.arrays import content_of_arrays


@reader("hdf5", "h5")
def hdf5(place: SearchPath, path: str, targets: list[str] | None = None) -> Source:
    """Arrays in an HDF5 file, by the same names as in .npz or in groups such as train/images; needs h5py."""
    file = place.find(path)
    key = {"kind": "hdf5", "targets": targets and list(targets)}
    return Source(file.stem, lambda: _read(file, targets), (file,), {"from": str(file.absolute())}, key)


def _read(path: Path, targets: Sequence[str] | None) -> Content:
    h5py = require("h5py", "reading HDF5 files")
    try:
        open_regular(path).close()
        # The file stays open for as long as the pictures are read from it.
        file = h5py.File(path, "r")
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        return content_of_arrays(str(path), names, lambda name: _Kept(file, file[name]), targets)
    except (OSError, RuntimeError, KeyError) as error:
        raise DataError(f"{path} cannot be read as HDF5: {error}. Copy or download it again.") from error


class _Kept:
    """A data set of an HDF5 file, with the file that must stay open for it."""

    def __init__(self, file: Any, dataset: Any) -> None:
        if dataset.external:
            raise DataError(f"{file.filename}: {dataset.name} lies in another file, which is not followed.")
        if dataset.shape is None:
            raise DataError(f"{file.filename}: {dataset.name} is empty: it has a type and no numbers.")
        declared = math.prod(dataset.shape) * dataset.dtype.itemsize
        check_unpacked(declared, Path(file.filename).stat().st_size, f"{dataset.name} in {file.filename}")
        self._file, self._dataset = file, dataset
        self.shape, self.dtype = dataset.shape, dataset.dtype

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, part: Any) -> Any:
        if part == ():
            declared = math.prod(self.shape) * self.dtype.itemsize
            check_memory(declared, f"{self._dataset.name} in {self._file.filename}")
        try:
            return self._dataset[part]
        except (OSError, RuntimeError) as error:
            raise DataError(f"{self._file.filename}: {self._dataset.name} is damaged ({error}).") from error
