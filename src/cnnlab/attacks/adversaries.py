"""Attacks as perturbations: pictures of a training attacked while it trains, or of a split before it is evaluated."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.problem import LossProblem
from cnnlab.core.hooks import perturbations
from cnnlab.core.registry import RegistryEntry
from cnnlab.core.seeds import SampleDraws
from cnnlab.objectives import Objective, Targets


class Adversary:
    """A :class:`~cnnlab.models.Perturbation` that is an attack by the loss, whatever is predicted."""

    def __init__(self, attack: Attack) -> None:
        self.attack = attack
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


def _maker(entry: RegistryEntry[Attack]) -> Callable[..., Adversary]:
    def make(**arguments: Any) -> Adversary:
        return Adversary(entry.make(**arguments))

    make.__doc__ = entry.make.__doc__
    return make


def register_adversaries() -> None:
    """Makes every attack known as a perturbation that needs no classes."""
    ATTACKS.complete()
    for entry in ATTACKS:
        if getattr(entry.make, "trains", False) and entry.name not in perturbations:
            arguments = {name: each for name, each in entry.arguments.items() if name != "target"}
            perturbations.add(RegistryEntry(entry.name, _maker(entry), arguments, entry.others))


register_adversaries()
