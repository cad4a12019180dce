"""Projected gradient without a step size to choose: APGD, for any wrong class and for the likeliest ones in turn."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from cnnlab.attacks.aims import Aim
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.climbs import Climb, HalvingClimb, SparseClimb, changed_share
from cnnlab.attacks.found import Found
from cnnlab.attacks.losses import logit_ratio
from cnnlab.attacks.norms import USUAL_BUDGETS, Norm, drawn_within, within
from cnnlab.attacks.problem import ClassProblem, Problem, of_classes
from cnnlab.core.arguments import Count, NonNegative

Loss: TypeAlias = Callable[[ClassProblem, Tensor, Tensor], Tensor]
"""What is climbed: of the problem of some pictures, their places in the whole, and outputs N×K, a number of each, N."""
WIDER = ((3, 3), (2, 3), (1, 4))
"""In L1: how many times as wide the budget is, for how many tenths of the steps (Croce & Hein 2021, section 4.3)."""


class AutoProjected(Attack):
    """Climbs from drawn starts; a picture that fools the model, rounded to 8 bits too, is climbed with no more."""

    def __init__(self, norm: Norm, eps: float | None, steps: int, restarts: int, target: Aim) -> None:
        self.norm: Norm = norm
        self.eps: float = USUAL_BUDGETS[norm] if eps is None else eps
        self.steps, self.restarts, self.target = steps, restarts, target

    @abstractmethod
    def losses(self, problem: ClassProblem) -> list[Loss]:
        """What is climbed, one after another."""

    def search(self, problem: Problem) -> Tensor:
        """Climbs on each loss, as often as asked, with the pictures that are left."""
        whole = of_classes(problem)
        found = Found(whole)
        for loss in self.losses(whole):
            for _ in range(self.restarts):
                if not len(found.left):
                    return found.pixels
                self._climb_all(whole, found.left, loss, found)
        return found.pixels

    def _climb_all(self, whole: ClassProblem, rows: Tensor, loss: Loss, found: Found) -> None:
        part = whole.take(rows)
        if self.norm != "l1":
            start = (part.pixels + drawn_within(part.draws, part.pixels, self.norm, self.eps)).clamp(0, 1)
            climb(part, HalvingClimb(rows, start, self.norm, self.eps, self.steps), self.steps, loss, found)
            return
        # In L1 few numbers are changed at all, and wider budgets find which.
        eps = WIDER[0][0] * self.eps
        start = within(part.pixels + part.draws.normal(*part.pixels.shape[1:]), part.pixels, "l1", eps)
        left = self.steps
        for times, tenths in WIDER:
            eps = times * self.eps
            steps = tenths * self.steps // 10 if times > 1 else left
            start, left = within(start, part.pixels, "l1", eps), left - steps
            if not steps:
                continue
            way = SparseClimb(rows, start, "l1", eps, steps, changed_share(start, part.pixels))
            climb(part, way, steps, loss, found if times == 1 else None)
            start = way.best


def climb(part: ClassProblem, way: Climb, steps: int, loss: Loss, found: Found | None) -> None:
    """Goes up; what fools the model on the way is told, and left out from there on.

    :param part: the problem of the pictures that climb.
    :param found: None for a budget that is wider than the one asked for, within which nothing counts.
    """
    for place in range(steps + 1):
        asked = partial(loss, part, way.rows)
        if place < steps:
            outputs, gradient = part.gradient(way.pixels, asked)
        else:
            outputs, gradient = part.outputs(way.pixels), way.gradient
        with torch.no_grad():
            way.arrive(asked(outputs), gradient)
        if found is not None:
            done = found.tell(way.rows, part, way.pixels, outputs)
            if done.any():
                left = (~done).nonzero()[:, 0]
                part, way = part.take(left), way.take(left)
                if not len(left):
                    return
        if place in way.checks:
            way.adapt(part.pixels, way.checks[place])
        if place < steps:
            way.move(part.pixels)
    if found is not None:
        found.settle(way.rows, way.best, part.margin(part.outputs(way.best)))


@ATTACKS.register("apgd")
class AutoProjectedGradient(AutoProjected):
    """Projected gradient that chooses its step sizes by itself (APGD; Croce & Hein 2020; in L1 Croce & Hein 2021).

    :param norm: what the budget is measured in.
    :param eps: the budget; unless given 8/255 in L∞, 0.5 in L2, 12 in L1.
    :param loss: that is climbed: ``ce`` the cross-entropy; ``dlr`` the difference-of-logits ratio, which no confidence
        of the model makes flat. With two classes that is the difference of the logits.
    :param steps: how many.
    :param restarts: from how many points at most; a picture that fools the model is not tried again.
    :param target: see ``pgd``.
    """

    name = "apgd"

    def __init__(
        self,
        norm: Norm = "linf",
        eps: NonNegative | None = None,
        loss: Literal["ce", "dlr"] = "ce",
        steps: Count = 100,
        restarts: Count = 1,
        target: Aim = None,
    ) -> None:
        super().__init__(norm, eps, steps, restarts, target)
        self.loss: Literal["ce", "dlr"] = loss

    def losses(self, problem: ClassProblem) -> list[Loss]:
        """The one that was asked for."""
        if self.loss == "ce":
            return [lambda part, _, outputs: part.loss(outputs)]
        return [lambda part, _, outputs: logit_ratio(outputs, part.labels, part.targets)]


@ATTACKS.register("apgd-t")
class TargetedAutoProjectedGradient(AutoProjected):
    """APGD towards each of the likeliest wrong classes in turn, by the targeted difference-of-logits ratio.

    Any wrong class that comes of it will do. What the ratio is with two and three classes is told by
    :func:`~cnnlab.attacks.losses.logit_ratio`.

    :param norm: see ``apgd``.
    :param eps: the budget; unless given 8/255 in L∞, 0.5 in L2, 12 in L1.
    :param steps: how many towards each class.
    :param restarts: from how many points at most towards each class.
    :param classes: how many of the likeliest wrong classes, at most.
    :param target: the one class, in place of the likeliest; see ``pgd``.
    """

    name = "apgd-t"

    def __init__(
        self,
        norm: Norm = "linf",
        eps: NonNegative | None = None,
        steps: Count = 100,
        restarts: Count = 1,
        classes: Count = 9,
        target: Aim = None,
    ) -> None:
        super().__init__(norm, eps, steps, restarts, target)
        self.classes = classes

    def losses(self, problem: ClassProblem) -> list[Loss]:
        """One for each class, the likeliest first."""
        if problem.targets is not None:
            return [_towards(problem.targets)]
        outputs = problem.outputs(problem.pixels)
        wrong = outputs.scatter(1, problem.labels[:, None], -torch.inf)
        likeliest = wrong.topk(min(self.classes, outputs.shape[1] - 1), 1).indices
        return [_towards(aims) for aims in likeliest.T]


def _towards(aims: Tensor) -> Loss:
    return lambda part, rows, outputs: logit_ratio(outputs, part.labels, aims[rows])
