"""Batch normalisation by the statistics of the whole logical batch, of which each device has a slice.

``torch.nn.SyncBatchNorm`` does the same between GPUs alone. Means and variances of the slices are put together by the
formula of Chan, Golub and LeVeque (1983, Algorithms for Computing the Sample Variance, equation 1.5); what moves pixels
is torch's own kernel for given statistics, so that both directions take one exchange of two numbers a channel.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class LogicalBatchNorm(TorchFunctionMode):
    """A block in which ``F.batch_norm`` normalises by all slices together, and follows running statistics of all.

    It is put around the forward pass of one layer of normalisation at a time: whatever that does besides stays.

    :param counts: pictures of each slice, by the rank of its device.
    :param channel: what tensors are exchanged by.
    """

    def __init__(self, counts: Sequence[int], channel: Any) -> None:
        super().__init__()
        self.counts, self.channel = tuple(counts), channel

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every function but one as it is."""
        if function is not F.batch_norm:
            return function(*args, **(kwargs or {}))
        return self._normalised(*args, **(kwargs or {}))

    def _normalised(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
        mean, variance, count = self._statistics(input.detach())
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
                running_var.lerp_((variance * (count / (count - 1))).to(running_var.dtype), momentum)
        outputs: Tensor = _Normalise.apply(input, weight, bias, mean, variance, eps, count, self.channel)  # type: ignore[no-untyped-call]
        return outputs

    def _statistics(self, input: Tensor) -> tuple[Tensor, Tensor, int]:
        """Mean and biased variance of each channel over all slices, float32, and of how many numbers."""
        places = input.shape[2:].numel()
        axes = [axis for axis in range(input.dim()) if axis != 1]
        own = torch.stack(torch.var_mean(input.float(), axes, correction=0))
        gathered = [torch.empty_like(own) for _ in self.counts]
        dist.all_gather(gathered, own, group=self.channel)
        variances, means = torch.stack(gathered, 1)
        count = sum(self.counts) * places
        shares = torch.tensor(self.counts, device=input.device, dtype=torch.float32)[:, None] * (places / count)
        mean = (shares * means).sum(0)
        return mean, (shares * (variances + (means - mean).square())).sum(0), count


class _Normalise(torch.autograd.Function):
    """(x - mean) / √(variance + ε) · weight + bias, where mean and variance are those of more than x."""

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        eps: float,
        count: int,
        channel: Any,
    ) -> Tensor:
        ctx.save_for_backward(input, weight, mean, variance)
        ctx.eps, ctx.count, ctx.channel = eps, count, channel
        return F.batch_norm(input, mean, variance, weight, bias, False, 0.0, eps)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:  # type: ignore[override]
        (gradient,), (input, weight, mean, variance) = gradients, ctx.saved_tensors
        scale = torch.ones_like(mean) if weight is None else weight
        # As of fixed statistics: w / σ · g, Σ g · x̂ and Σ g, the sums over this slice.
        of_input, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, input, scale, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.stack([of_weight, of_bias])
        dist.all_reduce(sums, group=ctx.channel)
        # Less what the statistics follow of the input: w / σ · (mean of g + x̂ · mean of g · x̂), a line in x.
        spread = (variance + ctx.eps).rsqrt()
        slope = scale * spread * spread * sums[0] / ctx.count
        offset = scale * spread * sums[1] / ctx.count - slope * mean
        along = (1, -1, *(1,) * (input.dim() - 2))
        of_input = of_input - torch.addcmul(offset.view(along), input.float(), slope.view(along)).to(of_input.dtype)
        needs = ctx.needs_input_grad
        grads = (of_input, of_weight if needs[1] else None, of_bias if needs[2] else None)
        return (*(grad if need else None for grad, need in zip(grads, needs, strict=False)), *(None,) * 5)


def batch_norms(network: nn.Module) -> list[nn.Module]:
    """The layers of a network that normalise by the batch."""
    return [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
