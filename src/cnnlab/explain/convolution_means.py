"""The mean over its map of a channel of a convolution, without convolving: it is linear in what the layer takes."""

from typing import TypeGuard

import torch
from torch import Tensor, nn

from cnnlab.models.cpu_kernels import Conv2d


def is_plain_convolution(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether a layer puts out nothing but the convolution of its weights with what it takes, zeros around that."""
    if type(module) not in (nn.Conv2d, Conv2d):
        return False
    is_watched = bool(module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))
    return not is_watched and module.padding_mode == "zeros"


class ConvolutionMeans:
    """Of a convolution the mean over its map of one channel for each of some maps.

    Each weight counts the sum of the places that it meets. These sums are one small product, and their gradient
    another, whereas the convolution works out all channels at all places.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        self.conv = conv
        self._met: dict[tuple[int, ...], Tensor] = {}

    def __call__(self, maps: Tensor, numbers: Tensor) -> Tensor:
        """The means, N, of maps N×C×H×W that the layer takes and the numbers of channels, N."""
        conv, size = self.conv, tuple(maps.shape[2:])
        if size not in self._met:
            # Places of the kernel × places of the map.
            self._met[size] = torch.kron(*(_met(conv, axis, length) for axis, length in enumerate(size))).to(maps)
        sums = self._met[size] @ maps.flatten(2).transpose(1, 2)
        if conv.groups > 1:
            group = numbers // (conv.out_channels // conv.groups)
            by_group = sums.reshape(*sums.shape[:2], conv.groups, -1)
            sums = by_group[torch.arange(len(maps), device=maps.device), :, group]
        means = (sums.transpose(1, 2) * conv.weight[numbers].flatten(2)).sum((1, 2))
        return means if conv.bias is None else means + conv.bias[numbers]


def _met(conv: nn.Conv2d, axis: int, length: int) -> Tensor:
    """How often each place of the kernel meets each place along an axis, as a share of all steps, kernel×length."""
    kernel, stride, dilation = conv.kernel_size[axis], conv.stride[axis], conv.dilation[axis]
    reach = dilation * (kernel - 1)
    if isinstance(conv.padding, str):
        before, both = (reach // 2, reach) if conv.padding == "same" else (0, 0)
    else:
        before, both = conv.padding[axis], 2 * conv.padding[axis]
    starts = torch.arange((length + both - reach - 1) // stride + 1) * stride - before
    places = starts + torch.arange(kernel)[:, None] * dilation
    return (places[:, :, None] == torch.arange(length)).float().sum(1) / len(starts)
