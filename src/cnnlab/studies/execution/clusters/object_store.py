"""Data sets as bytes that several processes map at once: a short pickle, and the pixels beside it."""

import io
import pickle
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnlab.data import Dataset, TensorImages

Packed = tuple[bytes, list[Any]]
"""The pickle, and arrays of bytes that it refers to."""


def pack_dataset(dataset: Dataset) -> Packed | None:
    """A data set that lies in memory; None for one that lies on the disk, or of which a part is held out.

    That is read by each machine itself: it may be larger than memory.
    """
    if dataset.held_out is not None or any(type(part) is not TensorImages for _, part in dataset.parts()):
        return None
    buffers: list[pickle.PickleBuffer] = []
    content = io.BytesIO()
    _Pickler(content, protocol=5, buffer_callback=buffers.append).dump(dataset)
    return content.getvalue(), [np.frombuffer(buffer.raw(), dtype=np.uint8) for buffer in buffers]


def unpack_dataset(packed: Packed) -> Dataset:
    """The data set; its tensors lie where the arrays do, and are not to be written to."""
    content, arrays = packed
    dataset: Dataset = pickle.loads(content, buffers=arrays)
    return dataset


class _Pickler(pickle.Pickler):
    """Has tensors refer to their memory, as arrays do."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) is Tensor and value.device.type == "cpu" and value.layout is torch.strided:
            return _tensor, (value.contiguous().numpy(),)
        return NotImplemented


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    with warnings.catch_warnings():
        # Arrays in the object store are read-only, and so is what is made of them; trainings write to no data.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)
