"""Batch normalisation, ReLU and 2×2 pooling in one pass by the kernels of this folder, as an autograd function."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.models.cpu_kernels.layout import PANEL, address, are_plain, channels_last, empty, empty_maps, sizes
from cnnlab.models.cpu_kernels.native import library

_ENDINGS = {torch.float32: "", torch.bfloat16: "_bfloat16"}
# What a call from Python costs outweighs the one pass over so few values, as a single picture of 32×32 has: torch's
# modules one after another then take half the time. Both give the same bits where nothing is trained.
_LEAST_VALUES = 2**16


@dataclass(frozen=True)
class Group:
    """Modules that follow one another, at most one of each kind; None where there is none."""

    norm: nn.BatchNorm2d | None = None
    relu: nn.ReLU | None = None
    pool: nn.MaxPool2d | None = None

    @property
    def modules(self) -> list[nn.Module]:
        """Those that are there, in order."""
        return [module for module in (self.norm, self.relu, self.pool) if module is not None]

    def is_taken(self, input: Tensor) -> bool:
        """Whether the kernels are made for this group on this input, and quicker than torch's one after another."""
        if input.dtype not in _ENDINGS or not are_plain(input, dtype=input.dtype):
            return False
        if input.dim() != 4 or not input.numel() or input.shape[1] % PANEL:
            return False
        if self.norm is None and self.pool is None:
            return False
        # A pool with nothing to look at is torch's to refuse.
        if not self._is_usual_pool() or min(self.output_size(input)) < 1:
            return False
        is_training = torch.is_grad_enabled() or (self.norm is not None and self.norm.training)
        if not is_training and input.numel() < _LEAST_VALUES:
            return False
        return self.norm is None or _is_usual_norm(self.norm, input)

    def __call__(self, input: Tensor) -> Tensor:
        """What the modules one after another give, with the running statistics of the norm brought up to date."""
        weight, bias = (None, None) if self.norm is None else (self.norm.weight, self.norm.bias)
        outputs: Tensor = _Pointwise.apply(input, weight, bias, self)  # type: ignore[no-untyped-call]
        return outputs

    def output_size(self, input: Tensor) -> tuple[int, int]:
        """Height and width of what comes out."""
        height, width = input.shape[2:]
        if self.pool is None:
            return height, width
        return ((height + 1) // 2, (width + 1) // 2) if self.pool.ceil_mode else (height // 2, width // 2)

    def _is_usual_pool(self) -> bool:
        pool = self.pool
        if pool is None:
            return True
        usual = (_pair(pool.kernel_size), _pair(pool.stride), _pair(pool.padding), _pair(pool.dilation))
        return usual == ((2, 2), (2, 2), (0, 0), (1, 1))


def _is_usual_norm(norm: nn.BatchNorm2d, input: Tensor) -> bool:
    own = norm.weight, norm.bias, norm.running_mean, norm.running_var
    if not are_plain(*own) or any(each is not None and each.numel() != input.shape[1] for each in own):
        return False
    has_statistics = norm.running_mean is not None and norm.running_var is not None
    if not norm.training:
        return has_statistics and not torch.is_grad_enabled()
    # One value a channel is torch's to refuse. Without a momentum the running statistics are means over all batches.
    can_follow = has_statistics and norm.momentum is not None and norm.num_batches_tracked is not None
    return input.numel() > input.shape[1] and (not norm.track_running_stats or can_follow)


class _Pointwise(torch.autograd.Function):
    """The source is in ``pointwise.c``."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor | None, bias: Tensor | None, group: Group) -> Tensor:
        input = channels_last(input)
        scale = shift = mean = spread = None
        if group.norm is not None:
            mean, variance = _statistics(group.norm, input)
            spread = (variance + group.norm.eps).rsqrt()
            scale = spread if weight is None else weight * spread
            shift = -mean * scale if bias is None else bias - mean * scale
        ctx.save_for_backward(input, scale, shift, mean, spread)
        ctx.group = group
        output = empty_maps(len(input), input.shape[1], *group.output_size(input), input.dtype)
        where = sizes(input), sizes(output), *_flags(group), torch.get_num_threads()
        _function("pointwise_forward", input)(address(input), address(scale), address(shift), address(output), *where)
        return output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:  # type: ignore[override]
        (gradient,), (input, scale, shift, mean, spread) = gradients, ctx.saved_tensors
        gradient = channels_last(gradient)
        of_input, of_weight, of_bias, slope, offset = torch.empty_like(input), None, None, None, None
        threads = torch.get_num_threads()
        where = sizes(input), sizes(gradient), *_flags(ctx.group), threads
        if mean is not None:
            sums = empty(threads, 2, len(mean), dtype=torch.float64)
            constants = (address(scale), address(shift), address(mean))
            _function("pointwise_gradient_sums", input)(
                address(input), address(gradient), *constants, address(sums), *where
            )
            total, product = sums.sum(0).float()
            count = input.numel() // len(mean)
            slope, offset = -scale * spread * spread * product / count, -scale * total / count
            of_weight, of_bias = product * spread, total
        everything = tuple(address(each) for each in (scale, shift, mean, slope, offset))
        _function("pointwise_backward", input)(
            address(input), address(gradient), *everything, address(of_input), *where
        )
        _fill_edges(of_input, input, gradient.shape[2:], mean, slope, offset, ctx.group)
        needs = ctx.needs_input_grad
        return of_input, of_weight if needs[1] else None, of_bias if needs[2] else None, None


def _statistics(norm: nn.BatchNorm2d, input: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance that normalise, of the batch or the running ones; the latter are brought up to date."""
    if not norm.training:
        assert norm.running_mean is not None and norm.running_var is not None
        return norm.running_mean, norm.running_var
    count, channels = input.numel() // input.shape[1], input.shape[1]
    # Moments of the distances from one value of the channel: E[x²] − E[x]² loses its digits where the mean is large.
    base = input[0, :, 0, 0].float()
    sums = empty(torch.get_num_threads(), 2, channels, dtype=torch.float64)
    _function("channel_moments", input)(address(input), address(base), address(sums), count, channels, len(sums))
    distance, squares = sums.sum(0) / count
    variance = (squares - distance * distance).clamp_min_(0)
    mean = (base + distance).float()
    if norm.track_running_stats:
        assert norm.running_mean is not None and norm.running_var is not None
        assert norm.momentum is not None and norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_((variance * (count / (count - 1))).float(), norm.momentum)
    return mean, variance.float()


def _fill_edges(
    of_input: Tensor,
    input: Tensor,
    size: Sequence[int],
    mean: Tensor | None,
    slope: Tensor | None,
    offset: Tensor | None,
    group: Group,
) -> None:
    """The gradient in the last row and column that a pool leaves out: only that of the statistics."""
    if group.pool is None:
        return
    for edge in ((..., slice(2 * size[0], None), slice(None)), (..., slice(None), slice(2 * size[1], None))):
        if of_input[edge].numel() and slope is not None and mean is not None and offset is not None:
            column = (-1, 1, 1)
            of_input[edge] = slope.view(column) * (input[edge] - mean.view(column)) + offset.view(column)
        elif of_input[edge].numel():
            of_input[edge] = 0


def _function(name: str, maps: Tensor) -> Any:
    """The kernel for maps of this format."""
    return getattr(library(), name + _ENDINGS[maps.dtype])


def _flags(group: Group) -> tuple[int, int]:
    return int(group.relu is not None), int(group.pool is not None)


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def as_torch(group: Group, input: Tensor) -> Tensor:
    """The group by torch's kernels, the pool before the ReLU.

    Both orders give the same numbers and the same gradients, ties included, for ReLU keeps the order of what it does
    not cut off; it then has a fraction of the positions to work on.
    """
    for module in (group.norm, group.pool, group.relu):
        input = input if module is None else module(input)
    return input
