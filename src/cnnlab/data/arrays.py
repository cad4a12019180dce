"""Arrays and tensors as pictures: uint8, channels first, whatever their layout and range."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.data.white import as_bytes, white_above

Layout: TypeAlias = Literal["first", "last"]

_CHANNELS = (1, 2, 3, 4)
_STRIDE = 1024


def to_pixels(array: Any, name: str = "x", white: float | None = None) -> NDArray[np.uint8]:
    """Pictures as uint8 N×C×H×W.

    Read are N×H×W, N×H×W×C and N×C×H×W (where both could be meant, arrays are channels last and tensors channels
    first), as 8 or 16-bit whole numbers, booleans, or floats in [0, 1] or [0, 255], which are rounded to 8 bits.

    :param white: the value of white; None to tell by the kind of numbers and by their largest.
    :raises DataError: for other shapes and ranges.
    """
    values = as_array(array, name)
    layout = channels_layout(values.shape, name, prefer="first" if isinstance(array, Tensor) else "last")
    return np.ascontiguousarray(channels_first(to_bytes(values, name, white), layout))


def as_array(values: Any, name: str) -> NDArray[Any]:
    """Numbers as an array, also those of tensors that are sparse, quantised, or elsewhere.

    :raises DataError: for tensors without numbers.
    """
    if not isinstance(values, Tensor):
        return np.asarray(values)
    if values.is_meta:
        raise DataError(f"{name} is a tensor on the device meta, which holds a shape and no numbers.")
    plain = values.detach()
    plain = plain.dequantize() if plain.is_quantized else plain
    plain = plain.to_dense() if plain.layout is not torch.strided else plain
    array: NDArray[Any] = (plain.float() if plain.dtype == torch.bfloat16 else plain).cpu().numpy()
    return array


def channels_layout(shape: Sequence[int], name: str, prefer: Layout = "last") -> Layout | None:
    """Where the channels of an array of pictures are: None for N×H×W, which has no such axis.

    :raises DataError: when no axis can be the channels.
    """
    if len(shape) == 3:
        return None
    possible: dict[Layout, bool] = {}
    if len(shape) == 4:
        possible = {"first": shape[1] in _CHANNELS, "last": shape[3] in _CHANNELS}
    if possible.get(prefer):
        return prefer
    for layout, fits in possible.items():
        if fits:
            return layout
    raise DataError(
        f"{name} has the shape {tuple(shape)}: pictures are N×H×W, N×H×W×C or N×C×H×W with 1 to 4 channels."
    )


def channels_first(values: NDArray[Any], layout: Layout | None) -> NDArray[Any]:
    """The array as N×C×H×W."""
    if layout is None:
        return values[:, None]
    return values if layout == "first" else np.moveaxis(values, 3, 1)


def is_deep(array: Any) -> bool:
    """Whether an array holds numbers of 16 bits, of which not all need be used."""
    return str(getattr(array, "dtype", "")) in ("uint16", "torch.uint16")


def white_of(arrays: Iterable[Any]) -> int | None:
    """White in the 16-bit numbers among these arrays, by the largest of all; None where there are none.

    :param arrays: or whatever has a ``dtype`` and gives arrays when sliced.
    """
    deep = [array for array in arrays if is_deep(array)]
    return white_above(max(int(largest_of(array)) for array in deep)) if deep else None


def largest_of(array: Any) -> float:
    """The largest number in an array, read in parts."""
    return max((float(np.max(np.asarray(array[i : i + _STRIDE]))) for i in range(0, len(array), _STRIDE)), default=0.0)


def to_bytes(values: NDArray[Any], name: str, white: float | None = None) -> NDArray[np.uint8]:
    """Pixel values as uint8.

    :param white: the value of white; None to tell by the kind of numbers and by their largest: of floats 1 or 255, of
        16 bits as :func:`~cnnlab.data.white.white_above` does, of others 255.
    :raises DataError: for values that are not pixels.
    """
    kind = values.dtype.kind
    if values.dtype == np.uint8 and white in (None, 255):
        return values
    if kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.uint16 or (white is not None and kind in "iu" and not (values < 0).any()):
        return as_bytes(values, white or white_above(int(values.max(initial=0))))
    if kind not in "fiu":
        raise DataError(f"{name} holds {values.dtype}; pixels are numbers.")
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > max(white or 0, 255):
        raise DataError(
            f"{name} holds values from {low:g} to {high:g}; pixels go from 0 to 1 or from 0 to 255. "
            "Leave the normalisation out: it belongs to the classifier."
        )
    scale = 255 / (white or (1 if high <= 1 else 255)) if kind == "f" else 1
    return np.rint(values * scale).astype(np.uint8)
