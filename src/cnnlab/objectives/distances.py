"""How far predicted numbers are from the true ones, along a line or around a circle."""

import torch
from torch import Tensor

NEAR = (1, 5, 10)
"""Distances within which shares are told."""
_SLACK = 1e-6


def distances(predicted: Tensor, truth: Tensor, period: float | None = None) -> Tensor:
    """The distance of each from each, N; with a period the shorter way around the circle, at most half of it."""
    apart = (predicted - truth).abs()
    if period is None:
        return apart
    apart = apart.remainder(period)
    return torch.minimum(apart, period - apart)


def middle(values: Tensor) -> float:
    """The median, the mean of the two in the middle where their number is even."""
    return values.double().quantile(0.5).item() if len(values) <= 1 << 20 else _exact_middle(values)


def _exact_middle(values: Tensor) -> float:
    # ``quantile`` refuses long inputs.
    ordered = values.double().sort().values
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]).item() / 2


def shares_within(apart: Tensor) -> dict[str, float]:
    """The share of distances of at most 1, 5 and 10, as ``within_1`` and so on."""
    return {f"within_{near}": (apart <= near + _SLACK).double().mean().item() for near in NEAR}
