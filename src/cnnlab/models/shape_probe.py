"""What a network of another origin makes of pictures of some size, tried without memory."""

from itertools import chain

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cnnlab.core.compiler import compiler_put_off
from cnnlab.core.errors import SpecError
from cnnlab.models.inference import evaluating
from cnnlab.models.shapes import Shape

_REFUSALS = (RuntimeError, AssertionError, ValueError, IndexError)


def shape_after(network: nn.Module, shape: Shape) -> Shape | None:
    """What one picture of ``shape`` becomes; None where it does not fit, or where that is no one tensor.

    The network is left as it was.
    """
    tensors = dict(chain(network.named_parameters(), network.named_buffers()))
    blank = {name: tensor.to("meta") for name, tensor in tensors.items()}
    own = next(iter(tensors.values()), torch.empty(0)).device
    # A network may keep tensors that it does not name, which have no counterpart without memory.
    for device, state in {torch.device("meta"): blank, own: tensors}.items():
        try:
            with evaluating(network), torch.no_grad(), compiler_put_off():
                left = functional_call(network, state, torch.zeros(1, *shape, device=device))
            return tuple(left.shape[1:]) if isinstance(left, Tensor) else None
        except _REFUSALS:
            continue
    return None


def shape_leaving(network: nn.Module, shape: Shape, native: int) -> Shape:
    """What one picture of ``shape`` becomes.

    :param native: the side of the pictures that the network was made for.
    :raises SpecError: where the picture is too small, naming the smallest side that is not.
    """
    left = shape_after(network, shape)
    if left is not None:
        return left
    height, width = shape[1:]
    side = smallest_side(network, shape[0], native)
    if side == native or shape_after(network, (shape[0], side + 1, side + 1)) is None:
        # Some cut pictures into patches, and take certain sizes only.
        raise SpecError(
            f"it would see pictures of {height}×{width}, which do not fit it; write size=native for {native}×{native}."
        )
    raise SpecError(
        f"it would see pictures of {height}×{width}, and the smallest that it takes are {side}×{side}; write "
        f"size={side} or more, such as size=native, which is {native}×{native} here."
    )


def smallest_side(network: nn.Module, channels: int, native: int) -> int:
    """The side of the smallest square picture that passes through a network, ``native`` at most; found by halving."""
    refused, taken = 0, native
    while taken - refused > 1:
        middle = (refused + taken) // 2
        if shape_after(network, (channels, middle, middle)) is None:
            refused = middle
        else:
            taken = middle
    return taken
