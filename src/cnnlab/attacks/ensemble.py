"""Several attacks of different kinds, each on what those before left: robust accuracy is that of the worst case."""

from torch import Tensor

from cnnlab.attacks.aims import Aim
from cnnlab.attacks.apgd import AutoProjectedGradient, TargetedAutoProjectedGradient
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.found import Found
from cnnlab.attacks.norms import USUAL_BUDGETS, Norm
from cnnlab.attacks.problem import Problem, of_classes
from cnnlab.attacks.square import Square
from cnnlab.core.arguments import Count, NonNegative


@ATTACKS.register("auto", "autoattack")
class AutoAttack(Attack):
    """APGD on cross-entropy and on the ratio of logits, towards likely classes, and squares, after AutoAttack.

    Each is tried on the pictures that those before left, and all of them with nothing to tune (Croce & Hein 2020). The
    paper has the ratio for any wrong class, its authors' later code that towards one class after another: both are
    tried here. FAB is left out. In L1 APGD has five starts and five classes (Croce & Hein 2021), and otherwise one
    start and nine.

    :param norm: what the budget is measured in.
    :param eps: the budget; unless given 8/255 in L∞, 0.5 in L2, 12 in L1.
    :param steps: of each climb.
    :param queries: of the squares, at most.
    :param target: see ``pgd``.
    """

    name = "auto"
    members = ("apgd-ce", "apgd-dlr", "apgd-t", "square")

    def __init__(
        self,
        norm: Norm = "linf",
        eps: NonNegative | None = None,
        steps: Count = 100,
        queries: Count = 5000,
        target: Aim = None,
    ) -> None:
        self.norm: Norm = norm
        self.eps: float = USUAL_BUDGETS[norm] if eps is None else eps
        self.target = target
        starts, classes = (5, 5) if norm == "l1" else (1, 9)
        self.attacks: tuple[Attack, ...] = (
            AutoProjectedGradient(norm, self.eps, "ce", steps, starts),
            AutoProjectedGradient(norm, self.eps, "dlr", steps, starts),
            TargetedAutoProjectedGradient(norm, self.eps, steps, classes=classes),
            Square(norm, self.eps, queries),
        )

    def search(self, problem: Problem) -> Tensor:
        """What the attacks find one after another."""
        whole = of_classes(problem)
        found = Found(whole)
        for place, attack in enumerate(self.attacks):
            rows = found.left
            part = whole.take(rows)
            changed = attack(part)
            outputs = part.outputs(changed)
            done = found.tell(rows, part, changed, outputs)
            found.settle(rows, changed, part.margin(outputs))
            part.take(done.nonzero()[:, 0]).credit(place)
        return found.pixels
