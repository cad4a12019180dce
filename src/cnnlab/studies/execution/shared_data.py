"""Data sets loaded once and shared by processes: pixels in shared memory, of which workers get a handle."""

import shutil
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from torch import Tensor

from cnnlab.data import Dataset, TensorImages

_MEMORY = Path("/dev/shm")
_SPARE = 1.25


class DatasetCache(MutableMapping[str, Dataset]):
    """The data sets used last, at most ``size`` of them, by key."""

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self._sets: OrderedDict[str, Dataset] = OrderedDict()

    def __getitem__(self, key: str) -> Dataset:
        self._sets.move_to_end(key)
        return self._sets[key]

    def __setitem__(self, key: str, dataset: Dataset) -> None:
        self._sets[key] = dataset
        self._sets.move_to_end(key)
        while len(self._sets) > self.size:
            self._sets.popitem(last=False)

    def __delitem__(self, key: str) -> None:
        del self._sets[key]

    def __contains__(self, key: object) -> bool:
        # Looking is no use: MutableMapping would count it as one.
        return key in self._sets

    def __iter__(self) -> Iterator[str]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)


def share_dataset(dataset: Dataset) -> bool:
    """Puts the tensors of a data set into shared memory; False where that cannot be done, or not for all.

    Sets that lie on the disk are not shared this way: every process maps the same file, and the system keeps it in
    memory once.
    """
    if dataset.held_out is not None:
        # It is of one seed, and pictures held out would be sent along with all that they were selected from.
        return False
    parts = [part for _, part in dataset.parts()]
    sets = [part for part in parts if type(part) is TensorImages]
    if len(sets) < len(parts):
        return False
    tensors = [tensor for part in sets for tensor in (part.pixels(), *part.targets.values()) if tensor is not None]
    private = [tensor for tensor in tensors if not _is_shared(tensor)]
    if not _has_room(sum(tensor.nbytes for tensor in private)):
        return False
    try:
        for tensor in private:
            tensor.share_memory_()  # type: ignore[no-untyped-call]
    except RuntimeError:
        # The memory for sharing is files too: these may be bounded, or others have taken the room since.
        return False
    return True


def _is_shared(tensor: Tensor) -> bool:
    return bool(tensor.is_shared())  # type: ignore[no-untyped-call]


def _has_room(count: int) -> bool:
    if not count:
        return True
    # Writing beyond what there is kills the process, so it is looked up before.
    return _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > count * _SPARE
