"""Objects as bytes that several processes map at once: a short pickle, and beside it what tensors hold."""

import io
import pickle
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

Packed = tuple[bytes, list[Any]]
"""The pickle, and arrays of bytes that it refers to."""


def pack(value: Any, pickler: type[Any] = pickle.Pickler) -> Packed:
    """The object, its tensors on the processor apart.

    :param pickler: in place of Python's own, such as one that takes the code of what is defined in a script along.
    """
    buffers: list[pickle.PickleBuffer] = []
    content = io.BytesIO()
    _apart(pickler)(content, protocol=5, buffer_callback=buffers.append).dump(value)
    return content.getvalue(), [np.frombuffer(buffer.raw(), dtype=np.uint8) for buffer in buffers]


def unpack(packed: Packed) -> Any:
    """The object; its tensors lie where the arrays do, and are not to be written to."""
    content, arrays = packed
    return pickle.loads(content, buffers=arrays)


def _apart(pickler: Any) -> Any:
    class Apart(pickler):  # type: ignore[misc]
        """Has tensors refer to their memory, as arrays do."""

        def reducer_override(self, value: Any) -> Any:
            if type(value) is Tensor and value.device.type == "cpu" and value.layout is torch.strided:
                return _tensor, (value.detach().contiguous().numpy(),)
            whole = getattr(super(), "reducer_override", None)
            return NotImplemented if whole is None else whole(value)

    return Apart


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    with warnings.catch_warnings():
        # Arrays in the object store are read-only, and so is what is made of them; nobody writes to it.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)
