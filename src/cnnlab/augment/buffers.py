"""Memory for intermediate results that serves one batch after the other.

On a processor, fresh memory of a batch's size costs about as much as the arithmetic done in it: its pages are no longer
in the cache, or not yet there at all.
"""

import math
import threading
from collections.abc import Sequence

import torch
from torch import Tensor


class _Kept(threading.local):
    """Of each thread its own, as several may prepare batches at once."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}


_kept = _Kept()


def take_buffer(name: str, shape: Sequence[int], device: torch.device) -> Tensor:
    """A float32 tensor that holds anything; whoever takes this name in this thread again takes the same memory.

    It is for what is used up before the next batch, never for results. Accelerators keep memory by themselves, so
    theirs is fresh.
    """
    if device.type != "cpu":
        return torch.empty(tuple(shape), device=device)
    count = math.prod(shape)
    kept = _kept.tensors.get(name)
    if kept is None or kept.numel() < count:
        # Made in inference mode it could not be written to outside.
        with torch.inference_mode(False):
            kept = _kept.tensors[name] = torch.empty(count)
    return kept[:count].view(tuple(shape))
