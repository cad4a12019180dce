"""What every attack is: a search for changed pictures that fool a model, held to [0, 1] and to its budget."""

import copy
from abc import ABC, abstractmethod
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from cnnlab.attacks.aims import Aim
from cnnlab.attacks.norms import AnyNorm, length
from cnnlab.attacks.problem import Problem
from cnnlab.core.registry import Registry
from cnnlab.models.shapes import format_shape

A = TypeVar("A", bound="Attack")
_UNEVEN = 1e-5


class Attack(ABC):
    """A way of fooling. Subclasses write :meth:`search`; what a spec may say of them are their arguments.

    :param name: under which it is registered.
    :param needs_gradient: whether it goes by a gradient, which a vote or a pipeline of scikit-learn has not.
    :param trains: whether it may be an adversary of a training: one of a fixed budget, by the loss alone.
    :param norm: what its budget, or what it keeps small, is measured in.
    :param eps: the budget; None for one that looks for the least change.
    :param target: the class that pictures are to be taken for; None for any that is wrong.
    :param members: of an ensemble, what its attacks are called.
    """

    name: ClassVar[str]
    needs_gradient: ClassVar[bool] = True
    trains: ClassVar[bool] = False
    norm: AnyNorm | None = None
    eps: float | None = None
    target: Aim = None
    members: tuple[str, ...] = ()

    @abstractmethod
    def search(self, problem: Problem) -> Tensor:
        """Changed pictures, N×C×H×W; those that do not fool the model are the nearest to it that were found."""

    def scaled(self: A, share: float) -> A:
        """The attack with a share of its budget, and steps as much shorter."""
        scaled = copy.copy(self)
        for name in ("eps", "step"):
            whole = getattr(self, name, None)
            if whole is not None:
                setattr(scaled, name, share * whole)
        return scaled

    def __call__(self, problem: Problem) -> Tensor:
        """Changed pictures, float32 N×C×H×W in [0, 1] and within the budget.

        :raises RuntimeError: when the attack left its budget, which is a fault of the attack.
        """
        if not len(problem):
            return problem.pixels
        problem.norm, problem.eps = self.norm, self.eps
        changed = self.search(problem).detach()
        if changed.shape != problem.pixels.shape:
            raise RuntimeError(f"{self.name} gave {format_shape(tuple(changed.shape))}.")
        # What is no number anywhere changes nothing.
        broken = ~changed.isfinite().flatten(1).all(1)
        changed = torch.where(broken[:, None, None, None], problem.pixels, changed).clamp(0, 1)
        if self.eps is not None and self.norm is not None:
            longest = float(length(changed - problem.pixels, self.norm).max())
            if longest > self.eps * (1 + _UNEVEN) + _UNEVEN:
                raise RuntimeError(f"{self.name} left its budget of {self.eps:g} in {self.norm}: {longest:g}.")
        return changed


_HOMES = {
    **dict.fromkeys(("fgsm", "ifgsm", "bim", "pgd", "mifgsm", "fast"), "cnnlab.attacks.projected"),
    **dict.fromkeys(("uniform-noise", "gaussian-noise", "salt-and-pepper"), "cnnlab.attacks.noise"),
    **dict.fromkeys(("apgd", "apgd-t"), "cnnlab.attacks.apgd"),
    "square": "cnnlab.attacks.square",
    **dict.fromkeys(("auto", "autoattack"), "cnnlab.attacks.ensemble"),
    "deepfool": "cnnlab.attacks.deepfool",
    "carlini-wagner": "cnnlab.attacks.carlini_wagner",
    "fmn": "cnnlab.attacks.fast_minimum_norm",
    "jsma": "cnnlab.attacks.saliency_map",
    "one-pixel": "cnnlab.attacks.one_pixel",
}
ATTACKS: Registry[Attack] = Registry("attack", homes=_HOMES)
"""Attacks by name; each is made of the arguments of its spec."""
