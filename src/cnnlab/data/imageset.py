"""What a split of a data set is to everything that reads it: pictures and targets by index."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.digests import digest
from cnnlab.core.errors import DataError

Targets: TypeAlias = Mapping[str, Tensor]
"""Named columns, each of length N: int64 class indices, or float32 numbers."""
ClassNames: TypeAlias = Mapping[str, tuple[str, ...]]
"""The class names of each integer column that holds classes."""
Indices: TypeAlias = Tensor | Sequence[int]

_CHUNK_BYTES = 32 << 20


class Numbered(Sequence[str]):
    """The ids of pictures that have no name: their place, as text, made when asked for."""

    def __init__(self, count: int) -> None:
        self._places = range(count)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return [str(i) for i in self._places[index]] if isinstance(index, slice) else str(self._places[index])


class _Chosen(Sequence[str]):
    """The ids of some pictures of a set, looked up when asked for."""

    def __init__(self, ids: Sequence[str], places: Tensor) -> None:
        self._ids, self._places = ids, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self._ids[place] for place in self._places[index].tolist()]
        return self._ids[int(self._places[index])]

    def __iter__(self) -> Iterator[str]:
        return iter(self[:])


class ImageSet(ABC):
    """N pictures of one size and their targets, read by ``batch(indices)``.

    Where the pixels lie (memory, a memory map, encoded pictures) is the affair of the subclass, which writes
    :meth:`_images` alone.

    :param shape: channels, height, width of every picture.
    :param targets: named columns of length N; none where the pictures are not labelled.
    :param classes: class names of each integer column that holds classes.
    :param ids: a stable name of each picture: its path inside the set, or its place as text.
    :raises DataError: when columns, classes and pictures contradict each other.
    """

    def __init__(
        self,
        count: int,
        shape: tuple[int, int, int],
        targets: Targets | None = None,
        classes: ClassNames | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        self._count = count
        self.shape = shape
        self.targets: Targets = dict(targets or {})
        self.classes: ClassNames = {
            name: tuple(names) for name, names in (classes or {}).items() if name in self.targets
        }
        self._ids = Numbered(count) if ids is None else ids
        _check_columns(count, self.targets, self.classes, len(self._ids))

    def __len__(self) -> int:
        return self._count

    @property
    def ids(self) -> Sequence[str]:
        """A stable name of each picture: its path inside the set, or its place as text."""
        return self._ids

    def batch(self, indices: Indices) -> tuple[Tensor, dict[str, Tensor]]:
        """The pictures at ``indices`` (uint8, N×C×H×W, on the CPU) and their targets."""
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        return self._images(chosen), {name: gather(column, chosen) for name, column in self.targets.items()}

    @abstractmethod
    def _images(self, indices: Tensor) -> Tensor:
        """The pictures at ``indices``: uint8, N×C×H×W."""

    def pixels(self) -> Tensor | None:
        """The whole set as one uint8 tensor N×C×H×W where it lies in memory, else None."""
        return None

    def select(self, indices: Indices) -> "ImageSet":
        """The pictures at ``indices``, in that order, as a set of their own that shares the pixels of this one."""
        return Subset(self, torch.as_tensor(indices, dtype=torch.int64))

    def chunks(self) -> Iterator[Tensor]:
        """The pictures in order, in parts of some thirty megabytes (uint8, n×C×H×W)."""
        size = max(1, _CHUNK_BYTES // max(1, int(np.prod(self.shape))))
        for start in range(0, len(self), size):
            yield self._images(torch.arange(start, min(start + size, len(self))))

    @cached_property
    def image_digests(self) -> NDArray[np.uint8]:
        """SHA-256 of the pixels of each picture, N×32 bytes: equal rows are equal pictures."""
        return np.concatenate([digest_images(part.numpy()) for part in self.chunks()] or [np.empty((0, 32), np.uint8)])

    @cached_property
    def moments(self) -> Tensor:
        """Sum and sum of squares of the pixel values of each picture and channel: int64, N×C×2, exact."""
        return torch.cat(
            [image_moments(part.numpy()) for part in self.chunks()] or [torch.empty(0, self.shape[0], 2).long()]
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 over pixels, targets and classes in their order; paths and ids do not count."""
        columns = {name: [str(c.dtype), digest(c.numpy().tobytes())] for name, c in self.targets.items()}
        return digest(
            {
                "shape": [len(self), *self.shape],
                "images": digest(self.image_digests.tobytes()),
                "targets": columns,
                "classes": {name: list(names) for name, names in self.classes.items()},
            }
        )

    def __repr__(self) -> str:
        channels, height, width = self.shape
        columns = ", ".join(
            f"{name} ({len(self.classes[name])} classes)" if name in self.classes else name for name in self.targets
        )
        return f"<{type(self).__name__}: {len(self):,} × {channels}×{height}×{width}, {columns or 'no targets'}>"


class TensorImages(ImageSet):
    """Pictures that lie in memory as one tensor.

    :param images: uint8, N×C×H×W.
    """

    def __init__(
        self,
        images: Tensor,
        targets: Targets | None = None,
        classes: ClassNames | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        if images.dtype != torch.uint8 or images.dim() != 4:
            raise DataError(f"pictures are uint8 and N×C×H×W; got {images.dtype} of shape {tuple(images.shape)}.")
        count, channels, height, width = images.shape
        super().__init__(count, (channels, height, width), targets, classes, ids)
        self._pixels = images.contiguous()

    def _images(self, indices: Tensor) -> Tensor:
        return gather(self._pixels, indices)

    def pixels(self) -> Tensor:
        """The tensor itself: do not write to it."""
        return self._pixels


class Subset(ImageSet):
    """Some pictures of another set, in an order of their own; the pixels stay where they are."""

    def __init__(self, base: ImageSet, indices: Tensor) -> None:
        self.base: ImageSet = base.base if isinstance(base, Subset) else base
        self.indices: Tensor = gather(base.indices, indices) if isinstance(base, Subset) else indices
        targets = {name: gather(column, self.indices) for name, column in self.base.targets.items()}
        super().__init__(len(indices), base.shape, targets, base.classes, _Chosen(self.base.ids, self.indices))

    def _images(self, indices: Tensor) -> Tensor:
        return self.base._images(gather(self.indices, indices))

    def pixels(self) -> Tensor | None:
        """The selected pictures as a tensor of their own where the base lies in memory: a copy at each call."""
        whole = self.base.pixels()
        return None if whole is None else gather(whole, self.indices)

    @cached_property
    def image_digests(self) -> NDArray[np.uint8]:
        """The rows of the base's."""
        return np.take(self.base.image_digests, self.indices.numpy(), axis=0)

    @cached_property
    def moments(self) -> Tensor:
        """The rows of the base's."""
        return gather(self.base.moments, self.indices)


def gather(rows: Tensor | NDArray[Any], indices: Tensor) -> Tensor:
    """The rows at ``indices``, copied."""
    # Copying is bound by memory: numpy's one thread is as fast as torch's several, which wait for each other, a
    # hundred times as long, where other processes use the same cores.
    return torch.from_numpy(np.take(np.asarray(rows), indices.numpy(), axis=0))


def digest_images(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """SHA-256 of each of N pictures, N×32 bytes."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    joined = b"".join(hashlib.sha256(row.data).digest() for row in rows)
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def image_moments(images: NDArray[np.uint8]) -> Tensor:
    """Sum and sum of squares of each picture and channel of uint8 N×C×H×W: int64, N×C×2."""
    values = images.reshape(*images.shape[:2], -1)
    squares = np.square(values, dtype=np.uint16).sum(2, dtype=np.int64)
    return torch.from_numpy(np.stack([values.sum(2, dtype=np.int64), squares], axis=2))


def statistics(image_set: ImageSet) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and the standard deviation of every channel over all pixels, in units of [0, 1].

    Exact up to the last division: sums are of whole numbers.
    """
    count = len(image_set) * image_set.shape[1] * image_set.shape[2]
    if count == 0:
        raise DataError("there is no picture to take the mean of.")
    sums = image_set.moments.numpy().sum(0).tolist()
    means = tuple(total / count / 255 for total, _ in sums)
    deviations = tuple((count * squares - total * total) ** 0.5 / count / 255 for total, squares in sums)
    return means, deviations


def _check_columns(count: int, targets: Targets, classes: ClassNames, ids: int) -> None:
    if ids != count:
        raise DataError(f"{count:,} pictures and {ids:,} ids: there must be one for each picture.")
    for name, column in targets.items():
        if column.dim() != 1 or len(column) != count:
            raise DataError(
                f"{count:,} pictures and {len(column):,} values of {name}: there must be exactly one for each picture."
            )
        if column.dtype not in (torch.int64, torch.float32):
            raise DataError(f"the column {name} holds {column.dtype}; a target is int64 or float32.")
        if name in classes:
            check_range(name, column, len(classes[name]))


def check_range(name: str, column: Tensor, classes: int, where: str = "") -> None:
    """Refuses a column of classes that holds anything outside 0 to ``classes`` − 1.

    :param where: the file that it is from, for the message.
    :raises DataError: naming the first such value and its place.
    """
    values = column.numpy()
    outside = np.flatnonzero((values < 0) | (values >= classes))
    if len(outside):
        place = int(outside[0])
        others = len(outside) - 1
        more = f", and {others:,} more {'is' if others == 1 else 'are'} out of range" if others else ""
        raise DataError(
            f"{f'{where}: ' if where else ''}{name} is {int(column[place])} at picture {place} (counted from 0){more}: "
            f"with {classes} classes it goes from 0 to {classes - 1}."
        )
