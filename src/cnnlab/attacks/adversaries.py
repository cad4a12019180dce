"""Attacks as perturbations: pictures of a training attacked while it trains, or of a split before it is evaluated.

The free variant of Shafahi et al. (2019) is not among them. It takes several steps on each batch, each with one
backward pass for both the weights and the pictures, and begins with what the batch before has left of its perturbation.
Here a batch is one step, adversaries look at a network in evaluation mode, and nothing that was drawn or found is state
that a run which goes on would have to bring along. ``fast`` costs as little.
"""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from torch import Tensor

from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.problem import LossProblem
from cnnlab.attacks.projected import Projected, ProjectedGradient
from cnnlab.core.arguments import Range
from cnnlab.core.hooks import perturbations
from cnnlab.core.registry import Argument, RegistryEntry
from cnnlab.core.seeds import SampleDraws
from cnnlab.objectives import Objective, Targets

_WATCHING_STEPS = 10
Epochs = Annotated[int, Range(0)]
WARMUP = (
    ":param warmup: epochs until the budget is whole; in the n-th of a training, or of its phase, it is n/warmup of it."
)


class Adversary:
    """A :class:`~cnnlab.models.Perturbation` that is an attack by the loss, whatever is predicted.

    :param warmup: epochs of a training until the budget is whole, for networks that learn nothing at once under it.
    """

    spares_weights = True

    def __init__(self, attack: Attack, warmup: int = 0) -> None:
        self.attack, self.warmup = attack, warmup
        self.needs_gradient = attack.needs_gradient

    def __call__(
        self,
        classifier: Callable[[Tensor], Tensor],
        pixels: Tensor,
        encoded: Targets,
        objective: Objective,
        draws: SampleDraws,
    ) -> Tensor:
        """The pixels, float32 N×C×H×W, as the attack leaves them."""
        return self.attack(LossProblem(classifier, pixels, draws, encoded, objective))

    def in_epoch(self, epoch: int) -> "Adversary":
        """The adversary of one epoch of a training's phase, counted from 0."""
        if epoch + 1 >= self.warmup:
            return self
        own = copy.copy(self)
        own.attack = self.attack.scaled((epoch + 1) / self.warmup)
        return own

    @property
    def watcher(self) -> "Adversary | None":
        """By what a training is watched whose adversary takes one step: many steps within the same budget."""
        attack = self.attack
        if not isinstance(attack, Projected) or attack.steps > 1:
            return None
        return Adversary(ProjectedGradient(attack.norm, attack.eps, _WATCHING_STEPS))


def _maker(entry: RegistryEntry[Attack]) -> Callable[..., Adversary]:
    def make(warmup: int = 0, **arguments: Any) -> Adversary:
        return Adversary(entry.make(**arguments), warmup)

    make.__doc__ = f"{inspect.getdoc(entry.make)}\n{WARMUP}"
    return make


def _arguments(entry: RegistryEntry[Attack]) -> Mapping[str, Argument]:
    """Those of the attack, which has no target here; a budget may be warmed up to."""
    own = {name: each for name, each in entry.arguments.items() if name != "target"}
    return own | {"warmup": Argument("warmup", Epochs, 0)} if "eps" in own else own


def register_adversaries() -> None:
    """Makes every attack known as a perturbation that needs no classes."""
    ATTACKS.complete()
    for entry in ATTACKS:
        if getattr(entry.make, "trains", False) and entry.name not in perturbations:
            made = RegistryEntry(entry.name, _maker(entry), _arguments(entry), entry.others)
            perturbations.add(made, *ATTACKS.aliases(entry.name))


register_adversaries()
