"""What a layer of a classifier makes of pictures: features, for whoever learns from them or looks at them."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.models.inference import autocast, batch_for, evaluating

_BATCH = 256
_CALL = re.compile(r"(.+), call ([1-9]\d*)")


class _ReachedError(Exception):
    """Leaves a forward pass at the layer that was wanted."""


def features_of(
    classifier: nn.Module,
    layer: str,
    images: Tensor | Iterable[Tensor],
    *,
    device: torch.device | str = "cpu",
    precision: str = "float32",
    between: Callable[[], None] | None = None,
) -> Tensor:
    """What a layer puts out, float32 on the host, N×C×H×W or N×K; the classifier is left as it was found.

    What comes after the layer is not computed.

    :param layer: its name in the summary of the network, such as ``conv2`` or ``residual1.body.conv2``. Of one that a
        picture passes several times it is the first pass, or the one that is said, as in ``relu, call 2``.
    :param images: N×C×H×W, uint8 or float in [0, 1], or batches of these.
    :param between: called after each batch, so that a request to stop can be heard.
    :raises UsageError: when there is no such layer, pictures do not pass it, or it puts out something other than a
        tensor.
    """
    batches = torch.split(images, batch_for(images.shape, _BATCH)) if isinstance(images, Tensor) else images
    parts = []
    for part in features_in_turn(classifier, layer, batches, device=device, precision=precision):
        parts.append(part.float().cpu())
        if between is not None:
            between()
    return torch.cat(parts) if parts else torch.empty(0)


def features_in_turn(
    classifier: nn.Module,
    layer: str,
    batches: Iterable[Tensor],
    *,
    device: torch.device | str = "cpu",
    precision: str = "float32",
) -> Iterator[Tensor]:
    """What a layer puts out of one batch after another, where and in the number format in which it is computed.

    Arguments and errors as of :func:`features_of`.
    """
    module, call, reached = find_layer(classifier, layer), layer_call(layer)[1] or 1, list[Tensor]()
    passed = 0

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal passed
        passed += 1
        if passed < call:
            return
        if not isinstance(output, Tensor):
            raise UsageError(f"the layer {layer} puts out {type(output).__name__}, and features are one tensor.")
        reached.append(output)
        raise _ReachedError

    for batch in batches:
        passed = 0
        with evaluating(classifier), torch.no_grad():
            module.register_forward_hook(note)
            placed = batch.to(device).contiguous(memory_format=torch.channels_last)
            with autocast(device, precision), suppress(_ReachedError):
                classifier(placed)
        if not reached:
            raise not_passed(layer, passed)
        yield reached.pop()


def find_layer(classifier: nn.Module, layer: str) -> nn.Module:
    """The module of that name in a classifier's network, whichever of its calls is meant.

    :raises UsageError: naming the closest there are.
    """
    named, (name, _) = dict(getattr(classifier, "network", classifier).named_modules()), layer_call(layer)
    if name not in named or not name:
        names = [name for name in named if name]
        raise UsageError(f"the network has no layer {name!r}. {suggestion(name, names)}")
    found: nn.Module = named[name]
    return found


def layer_call(layer: str) -> tuple[str, int | None]:
    """``relu, call 2`` as the name of a layer and which pass is meant, from 1; None where none is said."""
    found = _CALL.fullmatch(layer)
    return (layer, None) if found is None else (found[1], int(found[2]))


def not_passed(layer: str, times: int = 0) -> UsageError:
    """What is said of a layer that pictures do not pass, or not so often as was asked for.

    :param times: how often they do.
    """
    name, call = layer_call(layer)
    if not times:
        return UsageError(f"pictures do not pass the layer {name} on their way through the network.")
    often = "once" if times == 1 else f"{times} times"
    return UsageError(f"pictures pass the layer {name} {often}, so that there is no call {call} of it.")
