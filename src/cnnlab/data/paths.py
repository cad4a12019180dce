"""A bare path as data: which reader it means."""

import re
from pathlib import Path
from typing import Any

from cnnlab.core.errors import SpecError
from cnnlab.core.files import reading_errors
from cnnlab.core.spec import Call, read, read_one
from cnnlab.data.reading import SearchPath, readers

_BY_SUFFIX = {
    ".csv": "csv",
    ".tsv": "csv",
    ".npz": "npz",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".hdf": "hdf5",
}
_IDX = re.compile(r"idx\d-ubyte(\.gz)?$")
_CIFAR = re.compile(r"cifar-100?-(python|binary)(\.tar\.gz|\.tgz)?$|cifar-10-batches-(py|bin)$")
_CIFAR_FILES = {"data_batch_1", "data_batch_1.bin", "fine_label_names.txt"}


def as_call(spec: Any, place: SearchPath) -> Call:
    """The call that a spec means: itself, or for a bare path the reader of what lies there.

    A registered name comes before a file of the same name; ``./name`` is always the file. A path may have the
    arguments of its reader, as in ``photos.zip(size=64)``.
    """
    if isinstance(spec, Path):
        return _reader_of(str(spec), place)
    text = spec.strip() if isinstance(spec, str) else ""
    if text and text not in readers and place.look(text) is not None:
        return _reader_of(text, place)
    calls = read(spec)
    if not calls:
        raise SpecError(
            "no data is named. Write a data set or a path, as in data=fashion-mnist or data=photos/; cnnlab data list "
            "shows what there is."
        )
    call = read_one(calls, "Data")
    is_path = bool(set(call.name) & set("/\\.")) or call.name.startswith("~")
    if call.name not in readers and not call.args and (is_path or place.look(call.name) is not None):
        reader = _reader_of(call.name, place)
        return Call(reader.name, (), {**reader.kwargs, **call.kwargs}, call.text, call.start, call.places)
    return call


def _reader_of(path: str, place: SearchPath) -> Call:
    return Call(_kind(path, place.look(path)), (), {"path": path})


def _kind(path: str, place: Path | None) -> str:
    """By the name, and for a folder by what is in it."""
    name = Path(path).name.lower()
    if _IDX.search(name):
        return "idx"
    if _CIFAR.search(name):
        return "cifar"
    if place is not None and place.is_dir():
        with reading_errors():
            return _kind_of_folder({file.name for file in place.iterdir()})
    return _BY_SUFFIX.get(Path(name).suffix, "folder")


def _kind_of_folder(names: set[str]) -> str:
    if any(_IDX.search(name) for name in names):
        return "idx"
    return "cifar" if names & _CIFAR_FILES or {"train", "test", "meta"} <= names else "folder"
