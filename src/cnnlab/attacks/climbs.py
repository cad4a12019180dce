"""Climbs whose steps grow shorter by themselves: where every picture stands, and how it goes on."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor

from cnnlab.attacks.norms import Norm, movable, steepest, within

C = TypeVar("C", bound="Climb")


class Climb(ABC):
    """Where pictures stand on their way up. Every tensor has a row for each picture that is still tried.

    :param rows: the places of the pictures in their problem, on the host.
    :param start: where they begin, N×C×H×W.
    :param eps: the budget.
    :param steps: how many there are to be.
    """

    def __init__(self, rows: Tensor, start: Tensor, norm: Norm, eps: float, steps: int) -> None:
        self.rows, self.norm, self.eps = rows, norm, eps
        self.pixels = self.before = self.best = start
        self.gradient = self.best_gradient = torch.zeros_like(start)
        self.loss = start.new_full((len(start),), math.inf)
        self.best_loss = -self.loss
        self.checks = self.checkpoints(steps)

    @staticmethod
    @abstractmethod
    def checkpoints(steps: int) -> dict[int, int]:
        """After which steps the step sizes are looked at, and how many steps went by since the last time."""

    @abstractmethod
    def move(self, origin: Tensor) -> None:
        """One step, by the gradient, within the budget around the originals."""

    @abstractmethod
    def adapt(self, origin: Tensor, steps: int) -> None:
        """Sets sizes anew at a checkpoint, ``steps`` after the last."""

    def arrive(self, loss: Tensor, gradient: Tensor) -> None:
        """Notes what is found where the pictures stand now: the loss, N, and its gradient."""
        better = loss > self.best_loss
        self.best = torch.where(_wide(better), self.pixels, self.best)
        self.best_gradient = torch.where(_wide(better), gradient, self.best_gradient)
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.loss, self.gradient = loss, gradient

    def go_back(self, which: Tensor) -> None:
        """Puts some of them, N bools, back to where they had the greatest loss."""
        self.pixels = torch.where(_wide(which), self.best, self.pixels)
        self.gradient = torch.where(_wide(which), self.best_gradient, self.gradient)
        self.loss = torch.where(which, self.best_loss, self.loss)

    def take(self: C, left: Tensor) -> C:
        """That of some of the pictures, by their places in it."""
        taken = object.__new__(type(self))
        taken.__dict__ = {k: v[left] if isinstance(v, Tensor) else v for k, v in vars(self).items()}
        return taken


class HalvingClimb(Climb):
    """Steps with momentum that are halved where they stopped helping (Croce & Hein 2020, algorithm 1).

    At a checkpoint a picture's step is halved, and it goes on from where its loss was greatest, when fewer than 3 in 4
    steps since the last one raised the loss, or when neither its step nor its greatest loss has changed since then.
    """

    keeps = 0.75
    """How much of a step is new; the rest repeats the one before."""
    rising = 0.75

    def __init__(self, rows: Tensor, start: Tensor, norm: Norm, eps: float, steps: int) -> None:
        super().__init__(rows, start, norm, eps, steps)
        self.step = start.new_full((len(start),), 2 * eps)
        self.is_first = True
        self.rises = torch.zeros_like(self.loss)
        self.is_halved = torch.zeros_like(self.loss, dtype=torch.bool)
        self.checked_loss = self.best_loss

    @staticmethod
    def checkpoints(steps: int) -> dict[int, int]:
        """At shares 0, 0.22, 0.41, … of all steps: each stretch 0.03 shorter than the last, and at least 0.06."""
        return dict(_stretches(steps, [22, 19, 16, 13, 10, 7, 6, 6]))

    def move(self, origin: Tensor) -> None:
        """A step by the steepest direction, and a quarter of the step before."""
        aimed = within(self.pixels + _wide(self.step) * steepest(self.gradient, self.norm), origin, self.norm, self.eps)
        if not self.is_first:
            aimed = self.pixels + self.keeps * (aimed - self.pixels) + (1 - self.keeps) * (self.pixels - self.before)
            aimed = within(aimed, origin, self.norm, self.eps)
        self.before, self.pixels, self.is_first = self.pixels, aimed, False

    def arrive(self, loss: Tensor, gradient: Tensor) -> None:
        """Counts the steps that raised the loss, too."""
        self.rises = self.rises + (loss > self.loss)
        super().arrive(loss, gradient)
        if self.is_first:
            self.checked_loss = loss

    def adapt(self, origin: Tensor, steps: int) -> None:
        """Halves steps and goes back, where the two conditions say so."""
        stuck = ~self.is_halved & (self.best_loss <= self.checked_loss)
        self.is_halved = (self.rises < self.rising * steps) | stuck
        self.step = torch.where(self.is_halved, self.step / 2, self.step)
        self.checked_loss, self.rises = self.best_loss, torch.zeros_like(self.rises)
        self.go_back(self.is_halved)


class SparseClimb(Climb):
    """Steps in L1 that move some numbers only, as many as the best that was found needs (Croce & Hein 2021, section 4).

    At a checkpoint the share that is moved becomes two thirds of that which the best differs in. Where that has shrunk
    by over 1 in 20, a picture goes on from its best in steps as long as the budget; elsewhere steps grow shorter.

    :param changed: the share of numbers that the starts differ in, N; None for starts that were drawn.
    """

    shrinking = 1.5
    shortest = 0.1

    def __init__(
        self, rows: Tensor, start: Tensor, norm: Norm, eps: float, steps: int, changed: Tensor | None = None
    ) -> None:
        super().__init__(rows, start, norm, eps, steps)
        self.step = start.new_full((len(start),), eps)
        # From a drawn start, which says nothing of how many are needed, a fifth is moved at first.
        self.share = torch.full_like(self.step, 0.2) if changed is None else changed / self.shrinking
        self.changed = torch.ones_like(self.step) if changed is None else changed

    @staticmethod
    def checkpoints(steps: int) -> dict[int, int]:
        """Every 25th of the steps."""
        each = max(1, 4 * steps // 100)
        return dict.fromkeys(range(each, steps, each), each)

    def move(self, origin: Tensor) -> None:
        """A step of the numbers with the largest gradients."""
        direction = steepest(movable(self.gradient, self.pixels), "l1", self.share)
        aimed = within(self.pixels + _wide(self.step) * direction, origin, self.norm, self.eps)
        self.before, self.pixels = self.pixels, aimed

    def adapt(self, origin: Tensor, steps: int) -> None:
        """Sets the share of numbers that are moved, and how far."""
        changed = changed_share(self.best, origin)
        is_sparser = changed < 0.95 * self.changed
        shorter = (self.step / self.shrinking).clamp(min=self.shortest * self.eps)
        self.step = torch.where(is_sparser, self.eps, shorter)
        self.share, self.changed = changed / self.shrinking, changed
        self.go_back(is_sparser)


def changed_share(pixels: Tensor, origin: Tensor) -> Tensor:
    """The share of numbers in which pictures differ from others, N."""
    return (pixels != origin).flatten(1).to(pixels.dtype).mean(1)


def _stretches(steps: int, percents: list[int]) -> Iterator[tuple[int, int]]:
    """The ends of stretches in hundredths of the steps, rounded up, and how long each is."""
    share, last = 0, 0
    for percent in percents:
        share += percent
        end = -(-share * steps // 100)
        if last < end < steps:
            yield end, end - last
            last = end


def _wide(numbers: Tensor) -> Tensor:
    return numbers[:, None, None, None]
