"""Torch's tensors as the kernels take them: N×H×W×C in memory, sizes and addresses as C reads them.

Every tensor made here names its format and device: the defaults of torch may be others, and C takes what it is given.
"""

import ctypes
from typing import Any

import torch
from torch import Tensor, nn

PANEL = 16
"""Channels are handled in panels of so many; the kernels take no other multiples."""


def are_plain(*tensors: Tensor | None, dtype: torch.dtype = torch.float32) -> bool:
    """Whether all of them, None left aside, are of this format and lie as plain values in the processor's memory."""
    return all(
        type(each) in (Tensor, nn.Parameter)
        and each.dtype == dtype
        and each.device.type == "cpu"
        and each.layout == torch.strided
        # Nor a view that stands for the negative of what lies there, or for zeros that lie nowhere.
        and not each.is_neg()
        and not each._is_zerotensor()
        for each in tensors
        if each is not None
    )


def channels_last(maps: Tensor) -> Tensor:
    """The same N×C×H×W maps as N×H×W×C in memory, to the letter: torch lets dimensions of size one lie anyhow."""
    count, channels, height, width = maps.shape
    wanted = _strides(count, channels, height, width)
    is_there = all(
        size == 1 or has == wants for size, has, wants in zip(maps.shape, maps.stride(), wanted, strict=True)
    )
    if is_there and not maps.is_neg() and not maps._is_zerotensor():
        return maps if maps.stride() == wanted else maps.as_strided(maps.shape, wanted)
    return empty_maps(count, channels, height, width, maps.dtype).copy_(maps)


def empty_maps(count: int, channels: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Maps with no values yet, in that order."""
    strides = _strides(count, channels, height, width)
    return torch.empty_strided((count, channels, height, width), strides, dtype=dtype, device="cpu")


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor with no values yet, its last dimension together in memory."""
    return torch.empty(shape, dtype=dtype, device="cpu")


def address(tensor: Tensor | None) -> ctypes.c_void_p:
    """Where its first value lies; null for None."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def longs(*values: int) -> Any:
    """An array of C's long."""
    return (ctypes.c_long * len(values))(*values)


def sizes(maps: Tensor) -> Any:
    """N, H, W and C."""
    count, channels, height, width = maps.shape
    return longs(count, height, width, channels)


def _strides(count: int, channels: int, height: int, width: int) -> tuple[int, int, int, int]:
    return channels * height * width, 1, width * channels, channels
