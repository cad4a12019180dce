"""Running a classifier over pictures, leaving it as it was found."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

TENSOR_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")
"""Where a tensor keeps its hooks, by kind; None until there is one."""
_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def autocast(device: torch.device | str, precision: str) -> AbstractContextManager[Any]:
    """The block in which a forward pass runs in ``float32``, ``bfloat16`` or ``float16`` over float32 weights."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, _TYPES[precision])


def to_float(images: Tensor) -> Tensor:
    """Pixels as float32 in [0, 1]; those that are floating-point are so already."""
    return images if images.is_floating_point() else images.float().div_(255)


def laid_out(images: Tensor, memory_format: torch.memory_format) -> Tensor:
    """Feature maps in that order of memory; rows of numbers, which have but one, as they are."""
    return images.contiguous(memory_format=memory_format) if images.dim() == 4 else images


@contextmanager
def evaluating(module: nn.Module, *, is_frozen: bool = False) -> Iterator[None]:
    """A block for whatever looks at a model: it is in evaluation mode, and its gradients are put aside.

    Afterwards, on error too, modes, gradients, ``requires_grad`` and the hooks of every part and parameter are as they
    were. Weights and running statistics are for the block to leave alone, as evaluation mode does.

    :param is_frozen: no weight asks for a gradient.
    """
    parts, parameters = list(module.modules()), list(module.parameters())
    modes = [part.training for part in parts]
    kinds = [part._is_full_backward_hook for part in parts]
    # Most hold nothing: of small networks the copies would take as long as a pass.
    hooks = [(held, dict(held) if held else {}) for part in parts for held in _hooks(part)]
    tensor_hooks = [(parameter, kind, getattr(parameter, kind)) for parameter in parameters for kind in TENSOR_HOOKS]
    hooks += [(held, dict(held)) for _, _, held in tensor_hooks if held is not None]
    flags = [(parameter.requires_grad, parameter.grad) for parameter in parameters]
    if any(modes):
        module.eval()
    for parameter, (flag, gradient) in zip(parameters, flags, strict=True):
        if gradient is not None:
            # Not zeroed: what is added up in the block must not reach what was there.
            parameter.grad = None
        if flag and is_frozen:
            parameter.requires_grad_(False)
    try:
        yield
    finally:
        for part, mode, kind in zip(parts, modes, kinds, strict=True):
            if (part.training, part._is_full_backward_hook) != (mode, kind):
                part.training, part._is_full_backward_hook = mode, kind
        for held, before in hooks:
            if held or before:
                held.clear()
                held.update(before)
        for parameter, where, owned in tensor_hooks:
            if owned is None:
                # Emptied and not taken away: autograd goes on asking the same dictionary.
                (getattr(parameter, where) or {}).clear()
        for parameter, (flag, gradient) in zip(parameters, flags, strict=True):
            if parameter.requires_grad != flag:
                parameter.requires_grad_(flag)
            if parameter.grad is not gradient:
                parameter.grad = gradient


def _hooks(module: nn.Module) -> list[dict[Any, Any]]:
    """Where a module keeps its hooks, by kind."""
    return [held for name, held in vars(module).items() if "_hooks" in name and isinstance(held, dict)]


def batch_for(shape: Sequence[int], most: int = 1024) -> int:
    """How many pictures are computed at once: as many as asked for, and fewer of larger ones, always the same number.

    Maps of 2 million pixels, 41 pictures of 224×224, take half a gigabyte in networks with 64 of them; larger batches
    are no faster.

    :param shape: of a picture, the height and the width at its end.
    """
    return max(1, min(most, 2**21 // max(1, prod(shape[-2:]))))


def outputs_of(
    classifier: nn.Module,
    batches: Iterable[Tensor],
    *,
    device: torch.device | str = "cpu",
    precision: str = "float32",
    between: Callable[[], None] | None = None,
) -> Tensor:
    """The raw outputs, N×K float32 on the host, of batches of pictures (uint8, or float in [0, 1], N×C×H×W).

    :param classifier: or what of it remains after a cut, which takes features in the place of pictures.
    :param between: called after each batch, so that a request to stop can be heard.
    """
    parts = []
    with evaluating(classifier), torch.no_grad():
        for images in batches:
            parts.append(outputs_of_batch(classifier, images, device, precision))
            if between is not None:
                between()
    return torch.cat(parts) if parts else torch.empty(0, 0)


def outputs_of_batch(classifier: nn.Module, images: Tensor, device: torch.device | str, precision: str) -> Tensor:
    """The same of one batch, within a block of :func:`evaluating` and of ``torch.no_grad``."""
    placed = laid_out(images.to(device), torch.channels_last)
    with autocast(device, precision):
        outputs: Tensor = classifier(placed).float().cpu()
    return outputs
