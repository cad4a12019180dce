"""TRADES (Zhang et al. 2019): a network learns pictures as they are, and to say the same of them within a budget."""

from collections.abc import Callable

import torch
from torch import Tensor

from cnnlab.attacks.adversaries import Adversary, Epochs
from cnnlab.attacks.norms import Norm, within
from cnnlab.attacks.problem import LossProblem, Problem
from cnnlab.attacks.projected import Projected
from cnnlab.core.arguments import Count, NonNegative, Positive
from cnnlab.core.errors import UsageError
from cnnlab.core.hooks import perturbations
from cnnlab.core.seeds import SampleDraws
from cnnlab.objectives import Objective, Targets

_NEAR = 0.001
"""The deviation of the noise that the steps begin with: at the picture itself the divergence is flat."""


class _Divergence(LossProblem):
    """A problem of the answers of the pictures as they are, from which those of changed ones are to be far."""

    def loss(self, outputs: Tensor) -> Tensor:
        """Their cross-entropy, N, in which all classes weigh alike whatever the training's loss does."""
        return self.objective.loss(outputs, self.encoded, weights=None)


class _FromNear(Projected):
    """Steps from next to the picture."""

    name = "trades"

    def start(self, problem: Problem) -> Tensor:
        """The picture with a little noise."""
        near = problem.pixels + _NEAR * problem.draws.normal(*problem.pixels.shape[1:])
        return within(near, problem.pixels, self.norm, self.eps)


class Trades(Adversary):
    """An adversary that goes by how far what is said of a changed picture is from what is said of it as it is.

    Beside what every adversary does, it has the loss of both together, which training adds to that of the pictures as
    they are. That of the paper's equation 5, with its code's start and steps: the Kullback-Leibler divergence of the
    probabilities, head by head.

    :param beta: how much the divergence counts.
    """

    def __init__(self, attack: Projected, beta: float, warmup: int) -> None:
        super().__init__(attack, warmup)
        self.beta = beta

    def __call__(
        self,
        classifier: Callable[[Tensor], Tensor],
        pixels: Tensor,
        encoded: Targets,
        objective: Objective,
        draws: SampleDraws,
    ) -> Tensor:
        """The pixels, float32 N×C×H×W, where the divergence was followed uphill."""
        with torch.no_grad():
            said = _said(classifier(pixels), objective)
        return self.attack(_Divergence(classifier, pixels, draws, said, objective))

    def pair_loss(self, before: Tensor, after: Tensor, objective: Objective) -> Tensor:
        """``beta`` times the divergence of each picture, N.

        :param before, after: outputs N×K of the pictures as they are, and as changed.
        """
        said = _said(before, objective)
        # The cross-entropy of two distributions less the entropy of the first.
        return self.beta * (objective.loss(after, said) - objective.loss(before, said))

    @staticmethod
    def check(objective: Objective) -> None:
        """Refuses an objective with a head that has no probabilities.

        :raises UsageError: naming it.
        """
        outputs = torch.zeros(1, objective.outputs)
        numbers = [head for head in objective.heads if head not in objective.probabilities(outputs)]
        if numbers or objective.own_loss is not None:
            what = f"{numbers[0]} is predicted as a number" if numbers else "the loss is one of your own"
            raise UsageError(
                f"adversary=trades compares probabilities, and {what}. Take adversary=pgd, which goes by any loss."
            )


def _said(outputs: Tensor, objective: Objective) -> dict[str, Tensor]:
    """What outputs say, as encoded targets: of a single logit the probability of the second class."""
    likelihoods = objective.probabilities(outputs)
    return {head: likelihoods[head][:, -width:] for head, width in objective.heads.items()}


@perturbations.register("trades")
def trades(
    norm: Norm = "linf",
    eps: NonNegative | None = None,
    beta: NonNegative = 6.0,
    steps: Count = 10,
    step: Positive | None = None,
    warmup: Epochs = 0,
) -> Trades:
    """Pictures whose answer is far from that of the original; training adds that distance to the loss (TRADES).

    :param norm: see ``pgd``.
    :param eps: the budget; unless given 8/255 in L∞, 0.5 in L2, 12 in L1.
    :param beta: how much the divergence counts beside the loss of the pictures as they are.
    :param steps: how many.
    :param step: how long each is; unless given all together are 2.5 times as long as the budget.
    :param warmup: epochs until the budget is whole; in the n-th of a training, or of its phase, it is n/warmup of it.
    """
    return Trades(_FromNear(norm, eps, steps, step, target=None), beta, warmup)
