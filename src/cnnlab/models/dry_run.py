"""What a model would be for pictures of some shape, before any of its weights are drawn."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cnnlab.models.classifier_files import refuse_foreign
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
    with torch.device("meta"), _ShapesOnly():
        return summary(_unweighted(spec).build(shape, outputs), shape)


class _ShapesOnly(TorchFunctionMode):
    """A block in which tensors without memory are not drawn, convolved or normalised, and only get their shapes.

    torch would come to the same by its compiler, which takes longer to load than torch itself. What is not known here,
    and whatever does not fit together, is left to torch.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if function in _SHAPES and args and isinstance(args[0], Tensor) and args[0].is_meta:
            made = _SHAPES[function](*args, **given)
            if made is not None:
                return made
        return function(*args, **given)


def _same(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return tensor


def _alike(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return torch.empty_like(tensor)


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


_SHAPES: dict[Any, Callable[..., Tensor | None]] = {
    Tensor.normal_: _same,
    Tensor.uniform_: _same,
    torch.conv2d: _convolved,
    torch.nn.functional.batch_norm: _alike,
}


def _unweighted(spec: object) -> ModelSpec:
    """The same architecture without stored weights, which change no shape; a file of them has to be there."""
    model = parse_model(spec)
    if model.weights is not None and is_path(model.weights):
        refuse_foreign(file_of(model.weights))
    return model.without_weights()
