"""FMN: along the boundary by steps within a ball that shrinks while the model is fooled and grows while it is not."""

import math

import torch
from torch import Tensor

from cnnlab.attacks.aims import Aim
from cnnlab.attacks.attack import ATTACKS
from cnnlab.attacks.least_change import LeastChange, Nearest
from cnnlab.attacks.norms import DUALS, AnyNorm, length, project, steepest
from cnnlab.attacks.problem import ClassProblem
from cnnlab.core.arguments import Count, Fraction, NonNegative, Positive

_LAST_STEP = 0.01
_LAST_GAMMA = 0.001


@ATTACKS.register("fmn")
class FastMinimumNorm(LeastChange):
    """Fast minimum-norm attack: steps by the margin within a radius that adapts at every step (Pintor et al. 2021).

    Algorithm 1 of the paper; until the model is fooled for the first time the radius grows at every step at least by
    the share of ``gamma``, since steps that are clipped to [0, 1] may end short of the boundary each time. L0 is the
    number of pixels, all channels together.

    :param norm: what is kept small.
    :param steps: how many.
    :param alpha: the length of the first step, in L2; steps become 100 times as short, along half a cosine.
    :param gamma: the share by which the radius changes at first; it falls to 0.001 likewise.
    :param growth: see ``deepfool``.
    :param target: see ``pgd``.
    """

    name = "fmn"

    def __init__(
        self,
        norm: AnyNorm = "l2",
        steps: Count = 100,
        alpha: Positive = 1.0,
        gamma: Fraction = 0.05,
        growth: NonNegative = 1.0,
        target: Aim = None,
    ) -> None:
        self.norm: AnyNorm = norm
        self.steps, self.alpha, self.gamma, self.growth, self.target = steps, alpha, gamma, growth, target

    def nearest(self, problem: ClassProblem) -> tuple[Tensor, Tensor]:
        """The nearest of all steps."""
        origin, best = problem.pixels, Nearest(problem)
        rows = torch.arange(len(problem), device=origin.device)
        # No picture of [0, 1] is further away.
        furthest = length(torch.maximum(origin, 1 - origin), self.norm)
        radii = torch.full_like(furthest, 1.0 if self.norm == "l0" else 0.0)
        change = torch.zeros_like(origin)
        for step in range(self.steps):
            annealed = (1 + math.cos(math.pi * step / self.steps)) / 2
            outputs, gradient = problem.gradient(origin + change, problem.margin)
            lengths, margins, fooled = length(change, self.norm), problem.margin(outputs), problem.is_fooled(outputs)
            best.update(rows, origin + change, lengths, margins, fooled)
            gamma = _LAST_GAMMA + (self.gamma - _LAST_GAMMA) * annealed
            radii = self._radii(radii, gamma, best, lengths, margins, fooled, gradient).minimum(furthest)
            alpha = self.alpha * (_LAST_STEP + (1 - _LAST_STEP) * annealed)
            change = self._projected(change + alpha * steepest(gradient, "l2"), radii)
            change = (origin + change).clamp(0, 1) - origin
        return best.pixels - origin, best.fooled

    def _radii(
        self,
        radii: Tensor,
        gamma: float,
        best: Nearest,
        lengths: Tensor,
        margins: Tensor,
        fooled: Tensor,
        gradient: Tensor,
    ) -> Tensor:
        """The radii of the next step, N."""
        if self.norm == "l0":
            less = torch.minimum(radii - 1, (radii * (1 - gamma)).floor()).minimum(best.lengths).clamp(min=0)
            return torch.where(fooled, less, torch.maximum(radii + 1, (radii * (1 + gamma)).floor()))
        less, more = (radii * (1 - gamma)).minimum(best.lengths), radii * (1 + gamma)
        # Until the model is fooled for the first time, to where the boundary seems to be.
        ahead = lengths + margins.abs() / length(gradient, DUALS[self.norm]).clamp(min=1e-12)
        return torch.where(fooled, less, torch.where(best.fooled, more, ahead.maximum(more)))

    def _projected(self, change: Tensor, radii: Tensor) -> Tensor:
        """Into the balls; for L0 the pixels that are changed most stay changed."""
        if self.norm != "l0":
            return project(change, self.norm, radii)
        size = change.norm(dim=1).flatten(1)
        kept = size.argsort(1, descending=True).argsort(1) < radii[:, None]
        return change.where(kept.view(-1, 1, *change.shape[2:]), 0)
