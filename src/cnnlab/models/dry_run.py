"""What a model would be for pictures of some shape, before any of its weights are drawn."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional, init
from torch.overrides import TorchFunctionMode

from cnnlab.models.classifier_files import refuse_foreign
from cnnlab.models.joined import is_joined, joined_weights
from cnnlab.models.networks import ModelSpec, parse_model
from cnnlab.models.pretrained_weights import file_of, is_path
from cnnlab.models.shapes import Shape, pair, windows
from cnnlab.models.summaries import NetworkSummary, summary


def summary_without_weights(spec: object, shape: Shape, outputs: int) -> NetworkSummary:
    """The summary of the network that a spec describes; no weight is allocated, drawn or read from a file.

    :param shape: channels, height and width of the pictures.
    :raises SpecError: naming the layer that cannot be, and the shape that reaches it.
    :raises ModelFileError: for a file in ``weights=`` that is not there, or no file of weights.
    """
    model = _unweighted(spec)
    with torch.device("meta"), ShapesOnly():
        return summary(model.build(shape, outputs), shape)


def network_without_weights(spec: object, shape: Shape, outputs: int) -> nn.Module:
    """The network of which :func:`summary_without_weights` tells, all its tensors without memory."""
    model = _unweighted(spec)
    with torch.device("meta"), ShapesOnly():
        return model.build(shape, outputs)


class ShapesOnly(TorchFunctionMode):
    """A block in which tensors without memory are not drawn, convolved or normalised, and only get their shapes.

    torch would come to the same by its compiler, which takes longer to load than torch itself. What is not known here,
    and whatever does not fit together, is left to torch.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        first = args[0] if args else next(iter(given.values()), None)
        first = first[0] if isinstance(first, list | tuple) and first else first
        if function in _SHAPES and isinstance(first, Tensor) and first.is_meta:
            made = _SHAPES[function](*args, **given)
            if made is not None:
                return made
        return function(*args, **given)


def _same(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return tensor


def _alike(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return tensor.new_empty(tensor.shape)


def _convolved(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor | None:
    if images.dim() != 4 or images.shape[1] != weight.shape[1] * groups or isinstance(padding, str):
        return None
    steps = zip(images.shape[2:], weight.shape[2:], pair(stride), pair(padding), pair(dilation), strict=True)
    sides = [windows(side, kernel, step, 2 * pad, dilate) for side, kernel, step, pad, dilate in steps]
    return images.new_empty(len(images), len(weight), *sides) if min(sides) > 0 else None


def _pooled(
    images: Tensor,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    if images.dim() != 4 or return_indices:
        return None
    kernels, steps = pair(kernel), pair(stride if stride not in (None, []) else kernel)
    axes = zip(images.shape[2:], kernels, steps, pair(padding), pair(dilation), strict=True)
    sides = [windows(side, size, step, 2 * pad, dilate, ceil_mode) for side, size, step, pad, dilate in axes]
    fits = min(sides) > 0 and all(2 * pad <= size for pad, size in zip(pair(padding), kernels, strict=True))
    return images.new_empty(*images.shape[:2], *sides) if fits else None


def _pooled_to(images: Tensor, size: Any) -> Tensor | None:
    if images.dim() != 4:
        return None
    sides = [had if wanted is None else wanted for had, wanted in zip(images.shape[2:], pair(size), strict=True)]
    return images.new_empty(*images.shape[:2], *sides)


def _resized(images: Tensor, size: Any = None, *args: Any, **kwargs: Any) -> Tensor | None:
    return None if size is None or images.dim() != 4 else images.new_empty(*images.shape[:2], *pair(size))


def _dense(features: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    if features.shape[-1] != weight.shape[1]:
        return None
    return features.new_empty(*features.shape[:-1], len(weight))


def _combined(one: Tensor, other: Any, **kwargs: Any) -> Tensor | None:
    if not isinstance(other, Tensor) or other.dim() != one.dim() or kwargs:
        return None
    sides = [max(sides) for sides in zip(one.shape, other.shape, strict=True)]
    fits = all({1, side} >= {a, b} for side, a, b in zip(sides, one.shape, other.shape, strict=True))
    return one.new_empty(sides) if fits else None


def _joined(parts: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    first, others = parts[0], parts[1:]
    sides = list(first.shape)
    for other in others:
        if other.dim() != first.dim() or any(
            a != b
            for axis, (a, b) in enumerate(zip(first.shape, other.shape, strict=True))
            if axis != dim % first.dim()
        ):
            return None
        sides[dim] += other.shape[dim]
    return first.new_empty(sides)


def _averaged(images: Tensor, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> Tensor | None:
    if dim is None or kwargs:
        return None
    axes = {axis % images.dim() for axis in ((dim,) if isinstance(dim, int) else dim)}
    sides = [1 if place in axes else side for place, side in enumerate(images.shape) if keepdim or place not in axes]
    return images.new_empty(sides)


_SHAPES: dict[Any, Callable[..., Tensor | None]] = {
    **{draw: _same for name, draw in vars(init).items() if name.endswith("_") and not name.startswith("_")},
    **dict.fromkeys((Tensor.normal_, Tensor.uniform_, Tensor.zero_, Tensor.fill_), _same),
    torch.conv2d: _convolved,
    **dict.fromkeys((torch.max_pool2d, functional.max_pool2d), _pooled),
    functional.adaptive_avg_pool2d: _pooled_to,
    functional.interpolate: _resized,
    functional.linear: _dense,
    torch.cat: _joined,
    **dict.fromkeys((torch.add, Tensor.add, torch.mul, Tensor.mul), _combined),
    **dict.fromkeys((torch.mean, Tensor.mean), _averaged),
    **dict.fromkeys((functional.batch_norm, functional.dropout), _alike),
    **dict.fromkeys((functional.relu, functional.gelu, functional.silu, functional.elu, functional.leaky_relu), _alike),
    **dict.fromkeys((torch.relu, torch.relu_, torch.sigmoid, torch.tanh), _alike),
}


def _unweighted(spec: object) -> ModelSpec:
    """The same architecture without stored weights, which change no shape; a file of them has to be there."""
    model = parse_model(spec)
    if is_joined(model):
        # What is opened for its members' specs is weights and all, which are needed no further.
        model = joined_weights(model).model
    elif model.weights is not None and is_path(model.weights):
        refuse_foreign(file_of(model.weights))
    return model.without_weights()
