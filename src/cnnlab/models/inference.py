"""Running a classifier over pictures, leaving it as it was found."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def autocast(device: torch.device | str, precision: str) -> AbstractContextManager[Any]:
    """The block in which a forward pass runs in ``float32``, ``bfloat16`` or ``float16`` over float32 weights."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, _TYPES[precision])


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """A block in which the module is in evaluation mode; afterwards every part is as it was."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def outputs_of(
    classifier: nn.Module,
    batches: Iterable[Tensor],
    *,
    device: torch.device | str = "cpu",
    precision: str = "float32",
    between: Callable[[], None] | None = None,
) -> Tensor:
    """The raw outputs, N×K float32 on the host, of batches of pictures (uint8, or float in [0, 1], N×C×H×W).

    :param between: called after each batch, so that a request to stop can be heard.
    """
    parts = []
    with evaluating(classifier), torch.no_grad():
        for images in batches:
            placed = images.to(device).contiguous(memory_format=torch.channels_last)
            with autocast(device, precision):
                parts.append(classifier(placed).float().cpu())
            if between is not None:
                between()
    return torch.cat(parts) if parts else torch.empty(0, 0)
