"""Pictures as a file of 8 bits keeps them, without leaving a budget."""

import torch
from torch import Tensor

from cnnlab.attacks.norms import AnyNorm, Norm, length

_LEVELS = 255
_UNEVEN = 1e-6
"""A length in float32 lies so far beside what it should be."""
_SAME = 1e-4
"""Of a grey level: what lies nearer to one is there."""


def rounded(pixels: Tensor) -> Tensor:
    """The nearest grey levels, float32 in [0, 1]."""
    return (pixels * _LEVELS).round_().div_(_LEVELS)


def rounded_within(pixels: Tensor, origin: Tensor, norm: AnyNorm | None, eps: float | None) -> Tensor:
    """Grey levels within a budget around the originals: the nearest, but where these would leave it.

    Rounding moves a number by up to half a grey level, away from the original too. In L∞ each number that the nearest
    level would take out of the budget goes to the one next to it, on the side of the original. In L2 and in L1 a length
    is of all numbers together, so no number by itself is to blame: of those that the nearest level takes farther away,
    the ones that lie closest to the middle between two levels go towards the original, for they lose least by it, and
    only as many as bring the length back. What was within the budget, of an original that is a picture of 8 bits
    itself, is so afterwards: with all of them moved no number lies farther from its original than before. An original
    between two grey levels may have no such picture within a small budget; then it is the nearest to that.

    :param pixels, origin: float32 N×C×H×W in [0, 1].
    :param norm, eps: the budget; without one it is :func:`rounded`.
    """
    nearest = rounded(pixels)
    if eps is None or norm is None or norm == "l0":
        return nearest
    if norm == "linf":
        leaves = (nearest - origin).abs() > eps + _UNEVEN
        return torch.where(leaves, _nearer(pixels, origin), nearest) if leaves.any() else nearest
    rows = (length(nearest - origin, norm) > eps * (1 + 10 * _UNEVEN)).nonzero()[:, 0]
    if len(rows):
        nearest[rows] = _brought_back(pixels[rows], nearest[rows], origin[rows], norm, eps)
    return nearest


def _nearer(pixels: Tensor, origin: Tensor) -> Tensor:
    """Of the two grey levels about each number, the one nearer to the original."""
    levels = pixels * _LEVELS
    whole = levels.round()
    levels = torch.where((levels - whole).abs() < _SAME, whole, levels)
    below, above = levels.floor() / _LEVELS, levels.ceil() / _LEVELS
    return torch.where((below - origin).abs() <= (above - origin).abs(), below, above)


def _brought_back(pixels: Tensor, nearest: Tensor, origin: Tensor, norm: Norm, eps: float) -> Tensor:
    """As many numbers towards the original as it takes, those first whose two levels are about equally near."""
    power = 2 if norm == "l2" else 1
    nearer = _nearer(pixels, origin)
    gains = ((nearest - origin).abs() ** power - (nearer - origin).abs() ** power).flatten(1).double().clamp(min=0)
    away = (nearest - pixels).abs().flatten(1)
    order = torch.where(gains > 0, away, -1.0).argsort(dim=1, descending=True, stable=True)
    surplus = ((nearest - origin).abs() ** power).flatten(1).double().sum(1) - eps**power
    gained = gains.gather(1, order).cumsum(1)
    # The last that is moved is the first with which it is enough.
    moved = gained - gains.gather(1, order) < surplus[:, None]
    which = torch.zeros_like(moved).scatter(1, order, moved) & (gains > 0)
    return torch.where(which.view_as(nearest), nearer, nearest)
