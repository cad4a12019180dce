"""Nested state taken apart: its tensors by name, and a plain rest that says where each stood."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.errors import TrainingError


def pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The plain form of a value, whose tensors go into ``tensors`` under names that begin with ``name``.

    :raises TrainingError: when there is something in it that is neither a tensor nor plain.
    """
    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": [name, _strides(value)]}
    if isinstance(value, dict):
        return {"dict": [[key, pack(part, f"{name}.{key}", tensors)] for key, part in value.items()]}
    if type(value) in (list, tuple):
        parts = [pack(part, f"{name}.{index}", tensors) for index, part in enumerate(value)]
        return {type(value).__name__: parts}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TrainingError(f"the optimiser keeps {name} as a {type(value).__name__}, which cannot be stored.")


def unpack(plain: Any, tensors: Mapping[str, Tensor], like: Sequence[Tensor] = ()) -> Any:
    """The value that :func:`pack` took apart, its tensors laid out in memory as they were.

    One in the plain order is laid out as ``like[0]`` is, where that has its shape.
    """
    if not isinstance(plain, dict):
        return plain
    ((kind, content),) = plain.items()
    if kind == "tensor":
        name, strides = content
        return _laid_out(tensors[name], strides, like)
    if kind == "dict":
        return {key: unpack(part, tensors, like) for key, part in content}
    parts = [unpack(part, tensors, like) for part in content]
    return parts if kind == "list" else tuple(parts)


def _strides(tensor: Tensor) -> list[int] | None:
    """How a tensor lies in memory, where it lies there whole and not in the plain order: results depend on it."""
    is_whole = torch.empty_like(tensor).stride() == tensor.stride()
    return list(tensor.stride()) if is_whole and not tensor.is_contiguous() else None


def _laid_out(tensor: Tensor, strides: list[int] | None, like: Sequence[Tensor]) -> Tensor:
    if strides is not None:
        return torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype).copy_(tensor)
    if like and like[0].shape == tensor.shape:
        return torch.empty_like(like[0], dtype=tensor.dtype, requires_grad=False).copy_(tensor)
    return tensor
