"""HDF5 files, read a piece at a time."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError, DataError
from cnnlab.core.files import check_regular
from cnnlab.core.lazy_imports import require
from cnnlab.core.limits import check_memory, check_unpacked
from cnnlab.core.sinks import in_short
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
    before, remedy = f"{path} cannot be read as HDF5: ", ". Copy or download it again."
    with _damage_told(before, remedy):
        check_regular(path)
        # The file stays open for as long as the pictures are read from it.
        file = h5py.File(path, "r")
        names = _names_of_arrays(h5py, file)
    if not all(isinstance(name, str) for name in names):
        raise DataError(f"{before}names in it are no text in UTF-8{remedy}")

    def kept(name: str) -> _Kept:
        with _damage_told(before, remedy):
            return _Kept(file, file[name])

    return content_of_arrays(str(path), names, kept, targets)


def _names_of_arrays(h5py: Any, file: Any) -> list[Any]:
    """The paths of all data sets, each by its first name; links into other places and files are not followed.

    The library's own visit of all objects can go round for ever in a damaged file.
    """
    names, waiting, seen = [], [("", file)], set()
    while waiting:
        before, group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item, path = group[name], name if not before else f"{before}/{name}"
            where = h5py.h5o.get_info(item.id)
            if (where.fileno, where.addr) in seen:
                continue
            seen.add((where.fileno, where.addr))
            if isinstance(item, h5py.Dataset):
                names.append(path)
            elif isinstance(item, h5py.Group):
                waiting.append((path, item))
    return names


@contextmanager
def _damage_told(before: str, after: str) -> Iterator[None]:
    """What h5py says of a damaged file, which is an error of any kind, in a sentence that goes around it."""
    try:
        yield
    except CnnlabError:
        raise
    except Exception as error:
        raise DataError(f"{before}{in_short(str(error) or type(error).__name__)}{after}") from error


class _Kept:
    """A data set of an HDF5 file, with the file that must stay open for it."""

    def __init__(self, file: Any, dataset: Any) -> None:
        if dataset.external or dataset.is_virtual:
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
        with _damage_told(f"{self._file.filename}: {self._dataset.name} is damaged (", ")."):
            return self._dataset[part]
