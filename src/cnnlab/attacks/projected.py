"""Attacks within a fixed budget by the gradient of the loss: one step, many, with momentum, from drawn starts."""

from typing import ClassVar

import torch
from torch import Tensor

from cnnlab.attacks.aims import Aim
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.norms import USUAL_BUDGETS, Norm, drawn_within, movable, steepest, within
from cnnlab.attacks.problem import Problem
from cnnlab.core.arguments import Count, NonNegative, Positive

_STEPS_ACROSS = 2.5
"""All steps in one direction go so many times as far as the budget, after Madry et al. (2018)."""
_FAST_STEP = 1.25
"""Times the budget that the one step from a drawn point is long, after Wong et al. (2020), section 5."""
_MOVED = 0.02
"""The share of numbers that a step in L1 moves; one number, or one in ten, fools fewer pictures."""


class Projected(Attack):
    """Steps in the direction in which the loss grows most, each brought back into the budget and into [0, 1].

    A picture that fools the model, rounded to 8 bits too, is left as it is from there on and costs nothing more.
    """

    trains: ClassVar[bool] = True

    def __init__(self, norm: Norm, eps: float | None, steps: int, step: float | None, target: Aim) -> None:
        self.norm: Norm = norm
        self.target = target
        self.eps: float = USUAL_BUDGETS[norm] if eps is None else eps
        self.steps = steps
        self.step = _STEPS_ACROSS * self.eps / steps if step is None else step

    def start(self, problem: Problem) -> Tensor:
        """Where the steps begin: at the pictures themselves."""
        return problem.pixels

    def direction(self, gradient: Tensor, before: Tensor) -> Tensor:
        """What the step goes by, of the gradient and of what the step before went by (0 at first)."""
        return gradient

    def search(self, problem: Problem) -> Tensor:
        """One climb."""
        return self.climb(problem)[0]

    def climb(self, problem: Problem) -> tuple[Tensor, Tensor]:
        """Where the steps led, N×C×H×W, and whether that fools the model, N."""
        found, fooled = problem.pixels.clone(), torch.zeros(len(problem), dtype=torch.bool)
        rows, part, pixels = torch.arange(len(problem)), problem, self.start(problem)
        before = torch.zeros_like(pixels)
        for _ in range(self.steps):
            outputs, gradient = part.gradient(pixels)
            # Shrinking at once pays even on a processor, whose kernels are made anew for each size of batch: that takes
            # a tenth of a step, once, and a solved picture kept takes its share of each step that is left.
            if problem.is_judged and (done := part.fooled(pixels, outputs).cpu()).any():
                found[rows[done]], fooled[rows[done]] = pixels[done], True
                left = (~done).nonzero()[:, 0]
                rows, part = rows[left], part.take(left)
                pixels, gradient, before = pixels[left], gradient[left], before[left]
                if not len(rows):
                    return found, fooled
            before = self.direction(gradient, before)
            way = steepest(movable(before, pixels), "l1", _MOVED) if self.norm == "l1" else steepest(before, self.norm)
            pixels = within(pixels + self.step * way, part.pixels, self.norm, self.eps)
        found[rows] = pixels
        if problem.is_judged:
            fooled[rows] = part.fooled(pixels).cpu()
        return found, fooled


def started(problem: Problem, norm: Norm, eps: float) -> Tensor:
    """A point drawn evenly from the budget around each picture, N×C×H×W in [0, 1]."""
    return (problem.pixels + drawn_within(problem.draws, problem.pixels, norm, eps)).clamp(0, 1)


@ATTACKS.register("fgsm")
class FastGradient(Projected):
    """The fast gradient method: one step as long as the budget (Goodfellow et al. 2015, section 4).

    :param norm: in L∞ each pixel goes by the sign of its gradient; in L2 along the gradient; in L1 those two in a
        hundred numbers, at least one, that have the largest gradients, by their signs (Tramèr & Boneh 2019).
    :param eps: the budget; unless given 8/255 in L∞, 0.5 in L2, 12 in L1.
    :param target: see ``pgd``.
    """

    name = "fgsm"

    def __init__(self, norm: Norm = "linf", eps: NonNegative | None = None, target: Aim = None) -> None:
        super().__init__(norm, eps, steps=1, step=None, target=target)
        self.step = self.eps


@ATTACKS.register("fast")
class FastFromRandomStart(Projected):
    """One step from a drawn point of the budget, the adversary of fast adversarial training (Wong et al. 2020).

    :param norm: see ``fgsm``.
    :param eps: the budget; unless given 8/255 in L∞, 0.5 in L2, 12 in L1.
    :param step: how long the step is; unless given 1.25 times the budget. From twice on it mostly ends in a corner of
        the budget, and a network that is trained by it may come to withstand nothing but that.
    :param target: see ``pgd``.
    """

    name = "fast"

    def __init__(
        self, norm: Norm = "linf", eps: NonNegative | None = None, step: Positive | None = None, target: Aim = None
    ) -> None:
        super().__init__(norm, eps, steps=1, step=step, target=target)
        self.step = _FAST_STEP * self.eps if step is None else step

    def start(self, problem: Problem) -> Tensor:
        """A drawn point of the budget."""
        return started(problem, self.norm, self.eps)


@ATTACKS.register("ifgsm", "bim")
class IteratedFastGradient(Projected):
    """The fast gradient method in many small steps from the picture itself (Kurakin et al. 2017).

    :param norm: see ``fgsm``.
    :param eps: the budget; unless given 8/255 in L∞, 0.5 in L2, 12 in L1.
    :param steps: how many.
    :param step: how long each is; unless given all together are 2.5 times as long as the budget.
    :param target: see ``pgd``.
    """

    name = "ifgsm"

    def __init__(
        self,
        norm: Norm = "linf",
        eps: NonNegative | None = None,
        steps: Count = 10,
        step: Positive | None = None,
        target: Aim = None,
    ) -> None:
        super().__init__(norm, eps, steps, step, target)


@ATTACKS.register("pgd")
class ProjectedGradient(Projected):
    """Projected gradient descent: many small steps from a point drawn from the budget (Madry et al. 2018).

    :param norm: see ``fgsm``.
    :param eps: the budget; unless given 8/255 in L∞, 0.5 in L2, 12 in L1.
    :param steps: how many.
    :param step: how long each is; unless given all together are 2.5 times as long as the budget.
    :param restarts: from how many points at most; a picture that fools the model is not tried again.
    :param random_start: whether the steps begin at a drawn point, and not at the picture itself.
    :param target: the class that pictures are to be taken for: its name or number, ``all`` others in turn, ``second``
        for the likeliest wrong one, ``least-likely``, ``random``; none for any that is wrong.
    """

    name = "pgd"

    def __init__(
        self,
        norm: Norm = "linf",
        eps: NonNegative | None = None,
        steps: Count = 40,
        step: Positive | None = None,
        restarts: Count = 1,
        random_start: bool = True,
        target: Aim = None,
    ) -> None:
        super().__init__(norm, eps, steps, step, target)
        self.restarts, self.random_start = restarts, random_start

    def start(self, problem: Problem) -> Tensor:
        """A drawn point of the budget."""
        if not self.random_start:
            return problem.pixels
        return started(problem, self.norm, self.eps)

    def search(self, problem: Problem) -> Tensor:
        """Climbs until one succeeds; of those that do not the last."""
        found, rows = problem.pixels.clone(), torch.arange(len(problem))
        for _ in range(self.restarts):
            changed, fooled = self.climb(problem.take(rows))
            found[rows] = changed
            rows = rows[~fooled]
            if not len(rows):
                break
        return found


@ATTACKS.register("mifgsm")
class MomentumFastGradient(Projected):
    """Steps by a running sum of gradients, each divided by its L1 length (Dong et al. 2018, equations 6 and 7).

    :param norm: see ``fgsm``.
    :param eps: the budget; unless given 8/255 in L∞, 0.5 in L2, 12 in L1.
    :param steps: how many.
    :param step: how long each is; unless given ``eps/steps``.
    :param momentum: how much of the sum before is kept.
    :param target: see ``pgd``.
    """

    name = "mifgsm"

    def __init__(
        self,
        norm: Norm = "linf",
        eps: NonNegative | None = None,
        steps: Count = 10,
        step: Positive | None = None,
        momentum: NonNegative = 1.0,
        target: Aim = None,
    ) -> None:
        super().__init__(norm, eps, steps, step, target)
        self.step = self.eps / steps if step is None else step
        self.momentum = momentum

    def direction(self, gradient: Tensor, before: Tensor) -> Tensor:
        """The running sum."""
        lengths = gradient.flatten(1).abs().sum(1).clamp(min=1e-12)
        return self.momentum * before + gradient / lengths[:, None, None, None]
