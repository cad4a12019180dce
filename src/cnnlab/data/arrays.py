"""Arrays and tensors as pictures: uint8, channels first, whatever their layout and range."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.core.limits import check_memory
from cnnlab.core.messages import note, warn
from cnnlab.core.sinks import in_short
from cnnlab.data.white import MOST_WHITE, NONE_MET, UNKNOWN_WHITE, Largest, SaidWhite, White, as_bytes, said_of_white

Layout: TypeAlias = Literal["first", "last"]

_CHANNELS = (1, 2, 3, 4)
_MANY = 1 << 26
_REMEDY = "from_arrays(…, white=…) says otherwise"
_NUMPY_FLOATS = (torch.float16, torch.float32, torch.float64)


def to_pixels(array: Any, name: str = "x", white: White = UNKNOWN_WHITE) -> NDArray[np.uint8]:
    """Pictures as uint8 N×C×H×W.

    Read are N×H×W, N×H×W×C and N×C×H×W (where both could be meant, arrays are channels last and tensors channels
    first), as bytes, booleans, or other whole numbers or floats of at least 0, which are scaled to 8 bits and rounded.

    :param white: the values of white in numbers that are no bytes; what is not known is told by the largest of them.
    :raises DataError: for other shapes and ranges.
    """
    values = as_array(array, name)
    layout = channels_layout(values.shape, name, prefer="first" if isinstance(array, Tensor) else "last")
    count = math.prod(values.shape)
    if count > _MANY and not (values.dtype == np.uint8 and values.flags.c_contiguous):
        # A view may declare far more than it holds.
        check_memory(count, name)
    return np.ascontiguousarray(channels_first(to_bytes(values, name, white), layout))


def as_array(values: Any, name: str) -> NDArray[Any]:
    """Numbers as an array, also those of tensors that are sparse, quantised, or elsewhere.

    :raises DataError: for tensors without numbers, and lists that are no array.
    """
    if not isinstance(values, Tensor):
        try:
            return np.asarray(values)
        except (ValueError, TypeError, RuntimeError) as error:
            # Lists of what differs in shape, or of tensors that are no plain numbers.
            is_ragged = "inhomogeneous" in str(error)
            reason = "its parts have different lengths" if is_ragged else in_short(str(error)).rstrip(".")
            raise DataError(f"{name} cannot be made one array of numbers: {reason}.") from error
    if values.is_meta:
        raise DataError(f"{name} is a tensor on the device meta, which holds a shape and no numbers.")
    if values.is_nested:
        raise DataError(f"{name} is a nested tensor, whose parts may differ in shape; give one plain tensor.")
    plain = values.detach()
    plain = plain.dequantize() if plain.is_quantized else plain
    if plain.layout is not torch.strided:
        check_memory(plain.numel() * plain.element_size(), name)
        plain = plain.to_dense()
    is_known_to_numpy = not plain.is_floating_point() or plain.dtype in _NUMPY_FLOATS
    array: NDArray[Any] = (plain if is_known_to_numpy else plain.float()).cpu().numpy(force=True)
    return array


def channels_layout(shape: Sequence[int], name: str, prefer: Layout = "last") -> Layout | None:
    """Where the channels of an array of pictures are: None for N×H×W, which has no such axis.

    :raises DataError: when no axis can be the channels.
    """
    if 0 in shape[1:]:
        raise DataError(f"{name} has the shape {tuple(shape)}: there is nothing in such pictures.")
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


class BrighterError(Exception):
    """A picture that shows the scale by which those before it were brought to 8 bits to have been too small."""


class Scale:
    """White as the largest value of all arrays met tells it, which are kept as bytes meanwhile.

    :param said: the values of white that are known already.
    """

    def __init__(self, said: White = UNKNOWN_WHITE) -> None:
        self._said, self._largest, self.white = said, NONE_MET, said

    @classmethod
    def of(cls, arrays: Mapping[str, Any], said: SaidWhite = None) -> "Scale":
        """That of the pictures of every split."""
        scale = cls(White.said(said))
        scale._largest = Largest.of_all(Largest.of(as_array(x, f"x of {split}")) for split, x in arrays.items())
        scale.white = scale._said.told_by(scale._largest)
        return scale

    def meet(self, values: NDArray[Any]) -> None:
        """Looks at one more array.

        :raises BrighterError: where white among such numbers was another up to now.
        """
        before = self.white.of(values.dtype)
        self._largest = Largest.of_all([self._largest, Largest.of(values)])
        self.white = self._said.told_by(self._largest)
        if before not in (None, self.white.of(values.dtype)):
            raise BrighterError

    def facts(self) -> dict[str, Any]:
        """For the record: white in whole numbers and in floats, where there were any; and notes. These are said."""
        facts: dict[str, Any] = {"white": self.white.whole} if self._largest.whole is not None else {}
        facts |= {"float_white": self.white.floats} if self._largest.floats is not None else {}
        notes, warnings = said_of_white(self.white, self._said.left_open(self._largest), _REMEDY)
        for text in notes:
            note(text)
        for text in warnings:
            warn(text)
        return facts | ({"notes": list(notes)} if notes else {})


def to_bytes(values: NDArray[Any], name: str, white: White = UNKNOWN_WHITE) -> NDArray[np.uint8]:
    """Pixel values as uint8.

    :param white: the values of white in numbers that are no bytes; what is not known is told by their largest.
    :raises DataError: for values that are not pixels.
    """
    kind = values.dtype.kind
    if values.dtype == np.uint8:
        return values
    if kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if kind not in "fiu":
        raise DataError(f"{name} holds {values.dtype}; pixels are numbers.")
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    if not (low >= 0 and high <= MOST_WHITE):
        raise DataError(
            f"{name} holds values from {low:g} to {high:g}; pixels go from 0, which is black, to white. "
            "Leave the normalisation out: it belongs to the classifier."
        )
    return as_bytes(values, white.told_by(Largest.of(values)).of(values.dtype) or 255)
