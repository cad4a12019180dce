"""Image sets that lie on the disk: raw pixels under a memory map, and encoded files that are decoded on the way."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.core.machine import physical_memory, usable_cores
from cnnlab.data.formats.decode import BadImageError, Form, decode
from cnnlab.data.imageset import ClassNames, ImageSet, Subset, Targets, TensorImages, gather


class MappedImages(ImageSet):
    """Pictures in a file of raw pixels, N×C×H×W uint8, of which the system keeps in memory what is used.

    :raises DataError: when the file has not the size that count and shape make.
    """

    def __init__(
        self,
        path: Path,
        count: int,
        shape: tuple[int, int, int],
        targets: Targets | None = None,
        classes: ClassNames | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        super().__init__(count, shape, targets, classes, ids)
        expected = count * int(np.prod(shape))
        if path.stat().st_size != expected:
            raise DataError(f"{path} has {path.stat().st_size:,} bytes, not the {expected:,} of its pictures.")
        self.path = path
        self._map = np.memmap(path, np.uint8, mode="r", shape=(count, *shape))

    def _images(self, indices: Tensor) -> Tensor:
        return gather(self._map, indices)


class EncodedImages(ImageSet):
    """Pictures in their encoded form, one after another in a file, decoded at each use.

    :param offsets: where each begins, and the end of the last: int64, N+1.
    :param form: what they are brought to.
    """

    def __init__(
        self,
        path: Path,
        offsets: NDArray[np.int64],
        form: Form,
        shape: tuple[int, int, int],
        targets: Targets | None = None,
        classes: ClassNames | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        super().__init__(len(offsets) - 1, shape, targets, classes, ids)
        if path.stat().st_size != offsets[-1]:
            raise DataError(f"{path} has {path.stat().st_size:,} bytes, not the {offsets[-1]:,} of its pictures.")
        self.path, self._offsets, self._form = path, offsets, form
        self._file = np.memmap(path, np.uint8, mode="r")

    def _images(self, indices: Tensor) -> Tensor:
        images = np.empty((len(indices), *self.shape), np.uint8)
        for place, pixels in enumerate(_decoders().map(self._decoded, indices.tolist())):
            images[place] = pixels
        return torch.from_numpy(images)

    def _decoded(self, index: int) -> NDArray[np.uint8]:
        content = self._file[self._offsets[index] : self._offsets[index + 1]].tobytes()
        try:
            return decode(content, self._form).pixels
        except BadImageError as error:
            raise DataError(
                f"{self.ids[index]} in {self.path}: {error}. Delete this file; it is made again."
            ) from error


def resident(image_set: ImageSet) -> ImageSet:
    """The set with its pixels in memory where they fit and lie raw, freed of all that it was selected from."""
    base = image_set.base if isinstance(image_set, Subset) else image_set
    is_raw = isinstance(base, MappedImages | TensorImages)
    if not is_raw or (image_set is base and isinstance(base, TensorImages)) or not fits_in_memory(image_set):
        return image_set
    pixels = image_set.batch(torch.arange(len(image_set)))[0]
    copy = TensorImages(pixels, image_set.targets, image_set.classes, image_set.ids)
    for name in ("image_digests", "moments"):
        # Known of the base already: taking the rows is quick.
        if name in vars(base):
            setattr(copy, name, getattr(image_set, name))
    return copy


def fits_in_memory(image_set: ImageSet) -> bool:
    """Whether the raw pixels of the set may stay in memory."""
    return len(image_set) * int(np.prod(image_set.shape)) <= memory_limit()


def memory_limit() -> int:
    """Bytes of pixels that one split may take up in memory: an eighth of the machine's."""
    return physical_memory() // 8


@cache
def _decoders() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(usable_cores(), thread_name_prefix="decode")
