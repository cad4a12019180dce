"""Stored weights in a network that is not quite theirs: other classes, other channels, another size of pictures."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cnnlab.core.errors import ModelFileError
from cnnlab.core.messages import first_few, note
from cnnlab.models.initialisers import unmark_heads
from cnnlab.models.pretrained_weights import StartingWeights, stored_tensors
from cnnlab.models.shapes import format_shape

_GREY, _COLOUR = 1, 3


def take_what_fits(network: nn.Module, weights: StartingWeights) -> None:
    """Fills the layers of a network that the file has under the same name and of the same shape; tells of the others.

    A layer is taken as a whole or not at all. The first convolution sees grey as the sum of its colours, or each colour
    as a third of its grey.

    :raises ModelFileError: where no layer fits.
    """
    held, wanted = stored_tensors(weights.path), network.state_dict()
    first = next((name for name, tensor in wanted.items() if tensor.ndim == 4), None)
    fitted = {
        name: _recoloured(held[name], wanted[name]) if name == first else held[name] for name in wanted if name in held
    }
    layers = dict.fromkeys(name.rpartition(".")[0] for name in wanted)
    taken = [layer for layer in layers if not _misfits(layer, fitted, wanted)]
    if not any(wanted[name].ndim > 1 for name in wanted if name.rpartition(".")[0] in taken):
        raise ModelFileError(
            f"none of the layers in {weights.path} fits this network: they have other names or shapes. Take the "
            f"weights of a network that is alike; those of the file are {first_few(list(held))}."
        )
    with torch.no_grad():
        for name in wanted:
            if name.rpartition(".")[0] in taken:
                wanted[name].copy_(fitted[name])
    for layer in taken:
        unmark_heads(network.get_submodule(layer))
    left = [_said(layer, fitted, wanted) for layer in layers if layer not in taken]
    anew = f"; drawn anew: {first_few(left)}" if left else ""
    note(f"Starting from {weights.named}: {len(taken)} of {len(layers)} layers with weights fit{anew}.")


def _recoloured(tensor: Tensor, wanted: Tensor) -> Tensor:
    """The kernel of a first convolution for pictures of other colours."""
    if tensor.ndim != 4 or tensor.shape[1] == wanted.shape[1]:
        return tensor
    if (tensor.shape[1], wanted.shape[1]) == (_COLOUR, _GREY):
        return tensor.sum(1, keepdim=True)
    if (tensor.shape[1], wanted.shape[1]) == (_GREY, _COLOUR):
        return tensor.expand(-1, _COLOUR, -1, -1) / _COLOUR
    return tensor


def _own(layer: str, tensors: Mapping[str, Tensor]) -> list[str]:
    return [name for name in tensors if name.rpartition(".")[0] == layer]


def _misfits(layer: str, fitted: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """The tensors of a layer that are not in the file, or are of another shape there."""
    return [n for n in _own(layer, wanted) if n not in fitted or fitted[n].shape != wanted[n].shape]


def _said(layer: str, fitted: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    name = _misfits(layer, fitted, wanted)[0]
    if name not in fitted:
        return f"{layer} (not in the file)"
    there, here = (format_shape(tuple(tensor.shape)) for tensor in (fitted[name], wanted[name]))
    return f"{layer} ({there} there, {here} here)"
