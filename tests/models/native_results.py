"""Layers for the kernels of our own, and what their results are compared by."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.models.cpu_kernels import Conv2d, native_kernels

WINOGRAD = 1e-4
"""Bound of errors as a part of the largest value; over 700 drawn shapes the largest was 1.2e-5, torch's 5e-6."""
GREY = 1e-5
"""Likewise, of sums taken as in the definition; the largest was 1.9e-6."""
POINTWISE = 1e-5
"""Likewise, of a norm, ReLU and pool in one pass, or of 1 where all cancels out; the largest was 1.4e-6."""


@contextmanager
def threads(count: int) -> Iterator[None]:
    """A block in which torch and our kernels use so many."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def layer_of(*sizes: Any, seed: int = 0, **settings: Any) -> Conv2d:
    """A convolution whose weights are drawn from this seed."""
    torch.manual_seed(seed)
    return Conv2d(*sizes, **settings)


def norm_of(channels: int = 16, **settings: Any) -> nn.BatchNorm2d:
    """A norm whose factors and terms are drawn, where it has any."""
    torch.manual_seed(channels)
    norm = nn.BatchNorm2d(channels, **settings)
    if norm.affine:
        # Some factors are negative: of their channels the smallest value becomes the largest.
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return norm


def modules_of(kinds: str, ceil_mode: bool = False, **settings: Any) -> list[nn.Module]:
    """Of ``norm relu pool`` those that are named, the norm with these settings."""
    made = {"norm": norm_of(**settings), "relu": nn.ReLU(), "pool": nn.MaxPool2d(2, ceil_mode=ceil_mode)}
    return [made[kind] for kind in kinds.split()]


def distinct(*shape: int) -> Tensor:
    """Values between −3 and 3 that differ by more than rounding, so that the largest of a window is beyond doubt.

    Nor are they equally far apart: one would be the mean, and a normalised zero is cut off or not as rounding has it.
    """
    count = torch.Size(shape).numel()
    order = torch.randperm(count, generator=torch.Generator().manual_seed(count))
    values = 6 * (order + 0.5) / count - 3
    return (values + values**3 / 30).view(shape)


def all_of(network: nn.Module, maps: Tensor, factors: Tensor | None = None) -> dict[str, Tensor]:
    """The output, the gradients of Σ factors · output for all that asks for one, and the buffers."""
    wanted = {"input": maps} if maps.requires_grad else {}
    wanted |= {name: each for name, each in network.named_parameters() if each.requires_grad}
    output = network(maps)
    if factors is None:
        factors = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    gradients = torch.autograd.grad(output, list(wanted.values()), factors.to(output.dtype))
    buffers = {name: each.clone() for name, each in network.named_buffers()}
    return {"output": output.detach(), **dict(zip(wanted, gradients, strict=True)), **buffers}


def exact(network: nn.Module, maps: Tensor) -> dict[str, Tensor]:
    """The same of a copy of the network in float64, by torch."""
    twin = maps.detach().double().requires_grad_(maps.requires_grad)
    with native_kernels(False):
        return all_of(copy.deepcopy(network).double(), twin)


def assert_close(actual: dict[str, Tensor], expected: dict[str, Tensor], bound: float, floor: float = 0) -> None:
    """No error is larger than this part of the largest value, or of ``floor`` where that is larger."""
    assert actual.keys() == expected.keys()
    for name, right in expected.items():
        assert actual[name].shape == right.shape, name
        error, size = float((actual[name].double() - right).abs().max()), float(right.abs().max())
        assert error <= bound * max(floor, size), name


def assert_equal(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """All is the same bit for bit."""
    assert actual.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(actual[name], expected[name])] == []
