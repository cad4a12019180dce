"""Modules of torch that come to the same result in less time, so that nothing but the clock can tell them apart."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.models.cpu_kernels import native
from cnnlab.models.cpu_kernels.convolutions import convolve, is_taken
from cnnlab.models.cpu_kernels.pointwise import Group, as_torch

_FEW_POSITIONS = 9
_FEW_CHANNELS = 16


class Sequential(nn.Sequential):
    """Modules one after another, with batch normalisation, ReLU and maximum pooling that follow one another at once.

    They are one pass of :mod:`~cnnlab.models.cpu_kernels.pointwise`, where a block of
    :func:`~cnnlab.models.cpu_kernels.native.native_kernels` allows it; elsewhere torch's, a maximum pool done before
    the ReLU that it follows. Where somebody listens to a module, by a hook, all is done as written.
    """

    def forward(self, input: Tensor) -> Tensor:
        """As of ``torch.nn.Sequential``."""
        for item in _grouped(self):
            if isinstance(item, Group) and not (native.are_used() and item.is_taken(input)):
                input = as_torch(item, input)
            else:
                input = item(input)
        return input


_KINDS = {nn.BatchNorm2d: "norm", nn.ReLU: "relu", nn.MaxPool2d: "pool"}


def _grouped(modules: Iterable[nn.Module]) -> Iterator[nn.Module | Group]:
    """The modules in order, those of a group together: a norm, a ReLU and a pool, each there once or not at all."""
    order = list(_KINDS.values())
    group: dict[str, Any] = {}
    for module in modules:
        kind = _KINDS.get(type(module)) if _is_plain(module) and not getattr(module, "return_indices", False) else None
        if group and (kind is None or order.index(kind) <= order.index(next(reversed(group)))):
            yield Group(**group)
            group = {}
        if kind is None:
            yield module
        else:
            group[kind] = module
    if group:
        yield Group(**group)


def _is_plain(module: nn.Module) -> bool:
    """Whether nobody listens to what goes in and out, or has it do something else."""
    listeners = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    is_watched = any(listeners) or nn.modules.module._has_any_global_hook()  # type: ignore[no-untyped-call]
    return not is_watched and "forward" not in vars(module)


class Conv2d(nn.Conv2d):
    """A convolution that takes the quickest way to its result on a processor.

    In float32 that are the kernels of :mod:`~cnnlab.models.cpu_kernels.convolutions`, where a block of
    :func:`~cnnlab.models.cpu_kernels.native.native_kernels` allows it. In bfloat16 it is torch's, but for the
    gradient of the weights on small maps: torch's kernel for it reaches a third of the speed of the other two where a
    map is 3×3, and a tenth where it is smaller.
    """

    def forward(self, input: Tensor) -> Tensor:
        """N×C×H×W to N×filters×H'×W'."""
        if native.are_used() and self._is_native_on(input):
            return convolve(input, self.weight, self.bias, self.stride, self._edges)  # type: ignore[arg-type]
        if self._is_slow_on(input):
            outputs: Tensor = _SmallMaps.apply(input, self.weight, self.bias, self.padding)  # type: ignore[no-untyped-call]
            return outputs
        if self._is_unsafe_on(input):
            high, wide = self.stride
            return F.conv2d(input[:, :, ::high, ::wide], self.weight, self.bias)
        return super().forward(input)

    @property
    def _edges(self) -> tuple[int, int]:
        if isinstance(self.padding, str):
            return (0, 0) if self.padding == "valid" else (self.kernel_size[0] // 2, self.kernel_size[1] // 2)
        return self.padding[0], self.padding[1]

    def _is_native_on(self, input: Tensor) -> bool:
        # "same" pads evenly only where the kernel is odd.
        is_even = self.padding == "same" and any(size % 2 == 0 for size in self.kernel_size)
        is_simple = self.dilation == (1, 1) and self.groups == 1 and self.padding_mode == "zeros" and not is_even
        return is_simple and is_taken(input, self.weight, self.bias, self.stride, self._edges)  # type: ignore[arg-type]

    def _is_unsafe_on(self, input: Tensor) -> bool:
        """Whether torch writes beyond its memory for the gradient of these weights, which ends in a crash or worse.

        oneDNN's kernel for AVX-512 does, on several threads, where a kernel of one pixel takes every other pixel of an
        odd number of pictures and reads fewer channels than a register holds. The pixels can be taken before.
        """
        is_strided = self.kernel_size == (1, 1) != self.stride and self._edges == (0, 0)
        return is_strided and self.groups == 1 and self.in_channels < _FEW_CHANNELS and input.device.type == "cpu"

    def _is_slow_on(self, input: Tensor) -> bool:
        if input.device.type != "cpu" or not (self.training and torch.is_grad_enabled() and self.weight.requires_grad):
            return False
        if not torch.is_autocast_enabled("cpu") or torch.get_autocast_dtype("cpu") != torch.bfloat16:
            return False
        is_simple = self.stride == self.dilation == (1, 1) and self.groups == 1 and self.padding_mode == "zeros"
        if not is_simple or isinstance(self.padding, str) or torch.compiler.is_compiling():
            return False
        high, wide = (
            size + 2 * edge - kernel + 1
            for size, edge, kernel in zip(input.shape[2:], self.padding, self.kernel_size, strict=True)
        )
        return 0 < high * wide <= _FEW_POSITIONS < len(input) and self.kernel_size != (1, 1)


def adopt(module: nn.Module) -> None:
    """Makes a plain convolution or sequence of torch's one of those here, in its place: they hold nothing more."""
    own = {nn.Conv2d: Conv2d, nn.Sequential: Sequential}.get(type(module))
    if own is not None:
        module.__class__ = own


class _SmallMaps(torch.autograd.Function):
    """A convolution whose weights' gradient is a convolution too, with the pictures in the place of the channels.

    ∂L/∂w[o, i, u, v] = Σ over n, y, x of g[n, o, y, x] · input[n, i, y + u, x + v]: what a convolution of i "pictures"
    of n channels with o "kernels" as large as g gives at (u, v).
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)  # type: ignore[untyped-decorator]
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.padding, ctx.filters = padding, None if bias is None else list(bias.shape)
        return F.conv2d(input, weight, bias, padding=padding)

    @staticmethod
    @torch.autograd.function.once_differentiable
    @torch.amp.custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *gradients: Any) -> Any:  # type: ignore[override]
        (gradient,), (input, weight) = gradients, ctx.saved_tensors
        wanted = [ctx.needs_input_grad[0], False, ctx.filters is not None]
        of_input, _, of_bias = torch.ops.aten.convolution_backward(
            gradient, input, weight, ctx.filters, [1, 1], ctx.padding, [1, 1], False, [0, 0], 1, wanted
        )
        of_weight = F.conv2d(_as_channels(input), _as_channels(gradient), padding=ctx.padding).transpose(0, 1)
        return of_input, of_weight.to(weight.dtype), of_bias, None


def _as_channels(images: Tensor) -> Tensor:
    return images.transpose(0, 1).contiguous(memory_format=torch.channels_last)
