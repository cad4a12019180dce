"""Modules of torch that come to the same result in less time, so that nothing but the clock can tell them apart."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_FEW_POSITIONS = 9


class Sequential(nn.Sequential):
    """Modules one after another, a maximum pool done before the ReLU that it follows.

    Both orders give the same numbers and the same gradients, ties included, for ReLU keeps the order of what it does
    not cut off; it then has a fraction of the positions to work on. Where somebody listens to either, by a hook, they
    are done as written.
    """

    def forward(self, input: Tensor) -> Tensor:
        """As of ``torch.nn.Sequential``."""
        pending: nn.Module | None = None
        for module in self:
            if pending is not None and not _is_plain(module, nn.MaxPool2d):
                input, pending = pending(input), None
            if _is_plain(module, nn.ReLU):
                pending = module
            else:
                input = module(input)
        return input if pending is None else pending(input)


def _is_plain(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a module is just of this kind, and nobody listens to what goes in and out."""
    listeners = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    is_watched = any(listeners) or nn.modules.module._has_any_global_hook()  # type: ignore[no-untyped-call]
    return type(module) is kind and not is_watched


class Conv2d(nn.Conv2d):
    """A convolution whose weights get their gradient quickly on small feature maps too.

    torch's kernel for it in bfloat16 on a processor reaches a third of the speed of the other two where a map is
    3×3, and a tenth where it is smaller.
    """

    def forward(self, input: Tensor) -> Tensor:
        """N×C×H×W to N×filters×H'×W'."""
        if self._is_slow_on(input):
            outputs: Tensor = _SmallMaps.apply(input, self.weight, self.bias, self.padding)  # type: ignore[no-untyped-call]
            return outputs
        return super().forward(input)

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


def _as_channels(pictures: Tensor) -> Tensor:
    return pictures.transpose(0, 1).contiguous(memory_format=torch.channels_last)
