"""A black box: squares of colour at drawn places, kept where they help (Andriushchenko et al. 2020)."""

import math
from typing import Annotated

import torch
from torch import Tensor

from cnnlab.attacks.aims import Aim
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.found import Found
from cnnlab.attacks.norms import USUAL_BUDGETS, Norm, length, within
from cnnlab.attacks.problem import Problem, of_classes
from cnnlab.core.arguments import Count, NonNegative, Range

_HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Queries after which the share of the picture that a square covers is halved, as AutoAttack has them."""
_AT_ONCE = 50
"""Queries whose random numbers are drawn together."""
_ORDERS: dict[Norm, int] = {"l2": 2, "l1": 1}
_TINY = 1e-12


@ATTACKS.register("square")
class Square(Attack):
    """A black box that asks for outputs only: squares of colour at drawn places, each kept where it helps.

    In L∞ a square takes a colour of ±``eps`` (Andriushchenko et al. 2020, algorithm 2); in L2 it gathers a part of the
    change in one place and takes it from another (algorithm 3), in L1 likewise (Croce & Hein 2021, section 5). What
    more queries find contains what fewer find.

    :param norm: what the budget is measured in.
    :param eps: the budget; unless given 8/255 in L∞, 0.5 in L2, 12 in L1.
    :param queries: how often the model is asked at most.
    :param share: of the picture, that the first squares cover.
    :param target: see ``pgd``.
    """

    name = "square"
    needs_gradient = False

    def __init__(
        self,
        norm: Norm = "linf",
        eps: NonNegative | None = None,
        queries: Count = 5000,
        share: Annotated[float, Range(0, 1, open_low=True)] = 0.8,
        target: Aim = None,
    ) -> None:
        self.norm: Norm = norm
        self.eps: float = USUAL_BUDGETS[norm] if eps is None else eps
        self.queries, self.share, self.target = queries, share, target

    def search(self, problem: Problem) -> Tensor:
        """Asks until each picture fools the model, or is asked about no more."""
        part = of_classes(problem)
        found, rows = Found(part), torch.arange(len(part))
        pixels = stripes(part, self.eps) if self.norm == "linf" else tiles(part, self.norm, self.eps)
        gain = margins = torch.full((len(part),), -torch.inf, device=pixels.device)
        numbers = torch.empty(0)
        for query in range(self.queries):
            changed = pixels if query == 0 else self._changed(pixels, part.pixels, query, numbers[:, query % _AT_ONCE])
            outputs = part.outputs(changed)
            now = part.margin(outputs)
            # A target is reached sooner by its cross-entropy than by the margin.
            reached = part.loss(outputs) if part.is_targeted else now
            better = (reached > gain) | part.is_fooled(outputs)
            pixels = torch.where(better[:, None, None, None], changed, pixels)
            gain, margins = torch.where(better, reached, gain), torch.where(better, now, margins)
            done = found.tell(rows, part, changed, outputs)
            if done.any():
                left = (~done).nonzero()[:, 0]
                rows, part, pixels = rows[left], part.take(left), pixels[left]
                gain, margins = gain[left], margins[left]
                numbers = numbers[left] if query else numbers
                if not len(left):
                    return found.pixels
            if query == 0 or (query + 1) % _AT_ONCE == 0:
                numbers = part.draws.uniform(_AT_ONCE, 5 + pixels.shape[1])
        found.settle(rows, pixels, margins)
        return found.pixels

    def _changed(self, pixels: Tensor, origin: Tensor, query: int, numbers: Tensor) -> Tensor:
        """The pictures with another square each, by numbers from [0, 1), N×(5 + C)."""
        height, width = pixels.shape[2:]
        share = self.share / 2 ** sum(query - 1 > each for each in _HALVED_AFTER)
        side = round(math.sqrt(share * height * width))
        if self.norm == "linf":
            return _coloured(pixels, origin, self.eps, min(max(side, 1), height, width), numbers)
        side = max(side, 3) | 1
        return _gathered(pixels, origin, self.norm, self.eps, min(side, height, width), numbers)


def stripes(problem: Problem, eps: float) -> Tensor:
    """Pictures under upright stripes of ±``eps``, one pixel wide, each channel by itself."""
    channels, _, width = problem.pixels.shape[1:]
    signs = 2.0 * problem.draws.integers(2, channels, 1, width) - 1
    return (problem.pixels + eps * signs).clamp(0, 1)


def tiles(problem: Problem, norm: Norm, eps: float) -> Tensor:
    """Pictures under a grid of five by five peaks, of a drawn sign in each channel."""
    channels, height, width = problem.pixels.shape[1:]
    side = max(1, min(height, width) // 5)
    down, across = height // side, width // side
    signs = 2.0 * problem.draws.integers(2, 1 + channels, down, across) - 1
    peaks = _turned(_peaks(side, norm, problem.pixels), signs[:, :1].flatten() > 0)
    peaks = peaks.view(len(problem), 1, down, across, side, side) * signs[:, 1:, :, :, None, None]
    change = torch.zeros_like(problem.pixels)
    top, left = (height - down * side) // 2, (width - across * side) // 2
    whole = peaks.transpose(3, 4).reshape(len(problem), channels, down * side, across * side)
    change[:, :, top : top + down * side, left : left + across * side] = whole
    return _as_long_as(change, problem.pixels, norm, eps)


def _coloured(pixels: Tensor, origin: Tensor, eps: float, side: int, numbers: Tensor) -> Tensor:
    height, width = pixels.shape[2:]
    square = _window(numbers[:, 0], numbers[:, 1], side, height, width)
    colours = torch.where(numbers[:, 5:] < 0.5, -eps, eps)[:, :, None, None]
    return torch.where(square, origin + colours, pixels).clamp(0, 1)


def _gathered(pixels: Tensor, origin: Tensor, norm: Norm, eps: float, side: int, numbers: Tensor) -> Tensor:
    """With the change within two squares gathered in the first of them, along with what is left of the budget."""
    channels, height, width = pixels.shape[1:]
    order, change = _ORDERS[norm], pixels - origin
    first = _window(numbers[:, 0], numbers[:, 1], side, height, width)
    second = _window(numbers[:, 2], numbers[:, 3], side, height, width)
    within_first = _patch(change, first, side)
    mass = _power(change * (first | second), order)
    unspent = (eps**order - _power(change, order).sum(1)).clamp(min=0)
    signs = torch.where(numbers[:, 5:] < 0.5, -1.0, 1.0)[:, :, None, None]
    peaks = _turned(_peaks(side, norm, pixels), numbers[:, 4] < 0.5)[:, None] * signs
    gathered = peaks + within_first / _root(_power(within_first, order), order)
    gathered = gathered * _root(mass + unspent[:, None] / channels, order) / _root(_power(gathered, order), order)
    change = change.masked_fill(second, 0.0)
    change = change.masked_scatter(first.expand_as(change), gathered)
    return _as_long_as(change, origin, norm, eps)


def _as_long_as(change: Tensor, origin: Tensor, norm: Norm, eps: float) -> Tensor:
    """Pictures changed by this, made as long as the budget."""
    scale = eps / length(change, norm).clamp(min=_TINY)
    return within(origin + change * scale[:, None, None, None], origin, norm, eps)


def _window(down: Tensor, across: Tensor, side: int, height: int, width: int) -> Tensor:
    """Where a square lies whose place is told by numbers from [0, 1), N×1×H×W."""

    def lines(number: Tensor, count: int) -> Tensor:
        start = (number * (count - side + 1)).long()[:, None]
        places = torch.arange(count, device=number.device)
        return (places >= start) & (places < start + side)

    return lines(down, height)[:, None, :, None] & lines(across, width)[:, None, None, :]


def _patch(change: Tensor, square: Tensor, side: int) -> Tensor:
    count, channels = change.shape[:2]
    return change.masked_select(square).view(count, channels, side, side)


def _peaks(side: int, norm: Norm, like: Tensor) -> Tensor:
    """Two peaks of opposite sign, one above the other, S×S of length 1, that fall off ring by ring."""

    def peak(height: int) -> Tensor:
        down = (torch.arange(height, device=like.device) - height // 2).abs()[:, None]
        across = (torch.arange(side, device=like.device) - side // 2).abs()[None, :]
        rings = torch.arange(1, max(height, side) // 2 + 2, device=like.device, dtype=like.dtype) ** -steepness
        return rings.flip(0).cumsum(0).flip(0)[torch.maximum(down, across)]

    steepness = 2.0 * 2 / _ORDERS[norm]
    peaks = torch.cat([peak(side // 2), -peak(side - side // 2)])
    return peaks / length(peaks[None], norm)


def _turned(peaks: Tensor, is_turned: Tensor) -> Tensor:
    """The peaks for each of some, N×S×S, beside each other where they are turned."""
    return torch.where(is_turned[:, None, None], peaks.T, peaks)


def _power(change: Tensor, order: int) -> Tensor:
    """The sum of the magnitudes to a power over each channel, N×C."""
    return (change.abs() ** order).flatten(2).sum(2)


def _root(sums: Tensor, order: int) -> Tensor:
    return (sums ** (1 / order)).clamp(min=_TINY)[:, :, None, None]
