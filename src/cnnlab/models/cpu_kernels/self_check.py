"""Whether freshly compiled kernels come to the results of torch, on a small example of each.

A compiler at fault shows in large errors, so that the bound is wide. The random state and the settings of torch are
left as they are: this may run in the middle of anything.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.models.cpu_kernels.convolutions import convolve
from cnnlab.models.cpu_kernels.native import self_check
from cnnlab.models.cpu_kernels.pointwise import Group, as_torch

_BOUND = 0.02
"""Of the largest value: bfloat16 has two or three digits, and float32 many more."""

_Compute = Callable[..., Tensor]


@self_check
def differences() -> list[str]:
    """Names of the kernels in use that compute otherwise than torch, their gradients included."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        examples = [*_convolutions(), *_pointwise()]
        return [
            name for name, tensors, own, torchs in examples if not _agree(_all(own, tensors), _all(torchs, tensors))
        ]


def _convolutions() -> Iterator[tuple[str, list[Tensor], _Compute, _Compute]]:
    # More tiles than a block holds, on maps that are no multiple of them.
    wide = [_waves(5, 16, 13, 11).requires_grad_(), _waves(32, 16, 3, 3).requires_grad_(), _waves(32).requires_grad_()]
    grey = [_waves(5, 1, 13, 11), _waves(16, 1, 5, 3).requires_grad_(), _waves(16).requires_grad_()]
    cases = [("3×3 convolutions", wide, ((1, 1), (1, 1))), ("convolutions of grey images", grey, ((2, 1), (2, 0)))]
    for name, tensors, window in cases:
        yield name, tensors, lambda *t, w=window: convolve(*t, *w), lambda *t, w=window: F.conv2d(*t, *w)


def _pointwise() -> Iterator[tuple[str, list[Tensor], _Compute, _Compute]]:
    norm, relu, pool = nn.BatchNorm2d(16, device="cpu", dtype=torch.float32), nn.ReLU(), nn.MaxPool2d(2)
    # Not all three in bfloat16: torch rounds what the norm gives, and what comes out alike is another's largest.
    cases = [
        ("normalisation, ReLU and pooling", Group(norm, relu, pool), torch.float32),
        ("normalisation and ReLU in bfloat16", Group(norm, relu), torch.bfloat16),
        ("ReLU and pooling in bfloat16", Group(None, relu, pool), torch.bfloat16),
    ]
    for name, group, dtype in cases:
        yield name, [_waves(5, 16, 9, 7).to(dtype).requires_grad_()], group, lambda x, g=group: as_torch(g, x)


def _all(compute: _Compute, tensors: list[Tensor]) -> list[Tensor]:
    """The output, and the gradients of what asks for one."""
    output = compute(*tensors)
    loss = (output * _waves(*output.shape)).sum()
    return [output, *torch.autograd.grad(loss, [tensor for tensor in tensors if tensor.requires_grad])]


def _agree(computed: list[Tensor], expected: list[Tensor]) -> bool:
    pairs = zip(computed, expected, strict=True)
    return all(bool((result - reference).abs().max() <= _BOUND * reference.abs().max()) for result, reference in pairs)


def _waves(*shape: int) -> Tensor:
    """Values between −1 and 1 without a pattern."""
    return torch.arange(math.prod(shape), dtype=torch.float64, device="cpu").square().sin().float().view(shape)
