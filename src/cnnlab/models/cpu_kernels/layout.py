"""Torch's tensors as the kernels take them: N×H×W×C in memory, sizes and addresses as C reads them."""

import ctypes
from typing import Any

import torch
from torch import Tensor

PANEL = 16
"""Channels are handled in panels of so many; the kernels take no other multiples."""


def channels_last(maps: Tensor) -> Tensor:
    """The same N×C×H×W maps as N×H×W×C in memory, to the letter: torch lets dimensions of size one lie anyhow."""
    strides = _strides(*maps.shape)
    if maps.stride() == strides:
        return maps
    return torch.empty_strided(maps.shape, strides, dtype=maps.dtype).copy_(maps)


def empty_maps(count: int, channels: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Maps with no values yet, in that order."""
    return torch.empty_strided((count, channels, height, width), _strides(count, channels, height, width), dtype=dtype)


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
