"""The way of drawn parameters from the processor to an accelerator: all of them in one transfer."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cnnlab.augment.operation import Parameters

_ALIGNMENT = 8


def move(parameters: Sequence[Parameters], device: torch.device) -> list[Parameters]:
    """The parameters with their tensors on ``device``, copied there as one block of bytes."""
    tensors = [value for group in parameters for value in group.values() if isinstance(value, Tensor)]
    if device.type == "cpu" or not tensors:
        return list(parameters)
    block = torch.cat([_bytes(tensor) for tensor in tensors])
    if device.type == "cuda":
        block = block.pin_memory()
    block = block.to(device, non_blocking=True)
    moved = iter(_views(block, tensors))
    return [{k: next(moved) if isinstance(v, Tensor) else v for k, v in group.items()} for group in parameters]


def _bytes(tensor: Tensor) -> Tensor:
    """The content as bytes, filled up so that whatever comes next starts at a place fit for any type."""
    flat = tensor.contiguous().view(-1).view(torch.uint8)
    return torch.nn.functional.pad(flat, (0, -len(flat) % _ALIGNMENT))


def _views(block: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    views, at = [], 0
    for tensor in tensors:
        size = tensor.numel() * tensor.element_size()
        views.append(block[at : at + size].view(tensor.dtype).view(tensor.shape))
        at += size + -size % _ALIGNMENT
    return views
