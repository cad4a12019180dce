"""Carlini and Wagner's attack in L2: distance and a hinge of the margin together, and a search for how they weigh."""

from functools import partial

import torch
from torch import Tensor

from cnnlab.attacks.aims import Aim
from cnnlab.attacks.attack import ATTACKS
from cnnlab.attacks.least_change import LeastChange, Nearest
from cnnlab.attacks.norms import length
from cnnlab.attacks.problem import ClassProblem
from cnnlab.core.arguments import Count, NonNegative, Positive

_INSIDE = 0.999999
"""Pixels of 0 and 1 have no place on the line that tanh maps to [0, 1]; what is so much nearer to grey has."""
_LOOKS = 10
_GAIN = 1e-4
_DECAYS = 0.9, 0.999
"""Of Adam's two running means."""


@ATTACKS.register("carlini-wagner", "cw")
class CarliniWagner(LeastChange):
    """Carlini and Wagner's L2 attack: the squared distance and c times a hinge of the margin (2017, section VI-A).

    Pictures are (tanh w + 1)/2, so that they need no clipping, and w goes by Adam. A binary search finds a c for each
    picture. One whose sum falls by less than 0.01% in a tenth of the steps leaves the batch until the next c.

    :param steps: of Adam for each c.
    :param search_steps: how many c are tried for each picture.
    :param lr: the rate of Adam.
    :param confidence: how far the wanted logit must lie above the others.
    :param initial_const: the first c; it is ten times as large at each try until one succeeds.
    :param growth: see ``deepfool``.
    :param target: see ``pgd``.
    """

    name = "carlini-wagner"
    norm = "l2"

    def __init__(
        self,
        steps: Count = 1000,
        search_steps: Count = 9,
        lr: Positive = 0.01,
        confidence: NonNegative = 0.0,
        initial_const: Positive = 1e-3,
        growth: NonNegative = 1.0,
        target: Aim = None,
    ) -> None:
        self.steps, self.search_steps, self.lr, self.confidence = steps, search_steps, lr, confidence
        self.initial_const, self.growth, self.target = initial_const, growth, target

    def nearest(self, problem: ClassProblem) -> tuple[Tensor, Tensor]:
        """The nearest of all steps of all c."""
        best = Nearest(problem)
        const = torch.full_like(best.lengths, self.initial_const)
        low, high = torch.zeros_like(const), torch.full_like(const, torch.inf)
        for _ in range(self.search_steps):
            fooled = self._descend(problem, const, best)
            high, low = torch.where(fooled, const, high), torch.where(fooled, low, const)
            const = torch.where(high.isfinite(), (low + high) / 2, 10 * const)
        return best.pixels - problem.pixels, best.fooled

    def _descend(self, problem: ClassProblem, const: Tensor, best: Nearest) -> Tensor:
        """Whether any step with this c fooled the model, N."""
        ever = torch.zeros_like(best.fooled)
        rows, part = torch.arange(len(problem), device=const.device), problem
        free = torch.atanh((2 * problem.pixels - 1) * _INSIDE)
        adam = _Adam(free, self.lr)
        before = torch.full_like(const, torch.inf)
        for step in range(1, self.steps + 1):
            pixels = (free.tanh() + 1) / 2
            outputs, gradient = part.gradient(pixels, partial(self._hinge, part))
            change, margins = pixels - part.pixels, part.margin(outputs)
            lengths = length(change, "l2")
            fooled = part.is_fooled(outputs) & (margins >= self.confidence)
            best.update(rows, pixels, lengths, margins, fooled)
            ever[rows] |= fooled
            gradient = (2 * change + const[:, None, None, None] * gradient) * 2 * pixels * (1 - pixels)
            free = free - adam.step(gradient)
            if step % max(1, self.steps // _LOOKS) == 0:
                total = lengths**2 + const * self._hinge(part, outputs)
                left = (total <= (1 - _GAIN) * before).nonzero()[:, 0]
                before = total[left]
                if len(left) < len(rows):
                    rows, part, free, const = rows[left], part.take(left), free[left], const[left]
                    adam.keep(left)
                if not len(rows):
                    break
        return ever

    def _hinge(self, problem: ClassProblem, outputs: Tensor) -> Tensor:
        return (self.confidence - problem.margin(outputs)).clamp(min=0)


class _Adam:
    """Kingma and Ba (2015), for rows that leave one by one."""

    def __init__(self, like: Tensor, lr: float) -> None:
        self.mean, self.square = torch.zeros_like(like), torch.zeros_like(like)
        self.lr, self.steps = lr, 0

    def step(self, gradient: Tensor) -> Tensor:
        """What is to be taken off."""
        first, second = _DECAYS
        self.steps += 1
        self.mean.lerp_(gradient, 1 - first)
        self.square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        deviation = (self.square / (1 - second**self.steps)).sqrt_().add_(1e-8)
        return self.lr / (1 - first**self.steps) * self.mean / deviation

    def keep(self, rows: Tensor) -> None:
        """Forgets all rows but these."""
        self.mean, self.square = self.mean[rows], self.square[rows]
