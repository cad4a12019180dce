"""What casts doubt on an attack, as far as the attack itself shows it: sentences that travel with what it found.

After the checks of AutoAttack and RobustBench, and Carlini et al., On Evaluating Adversarial Robustness (2019).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cnnlab.attacks.problem import Model

FEW = 64
"""Pictures whose outputs are looked at."""
_ALIKE = 1e-4
"""Outputs of the same pictures that differ by less, of the largest, differ by rounding."""
_SUMS = 1e-4
SHARE = 0.01
"""What one in a hundred pictures does is noted; one picture alone never is."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked for.

    :param name: in a few words.
    :param finding: what came of it, a sentence.
    :param is_warning: whether that casts doubt on the attack.
    """

    name: str
    finding: str
    is_warning: bool

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        return {"name": self.name, "finding": self.finding, "is_warning": self.is_warning}


def is_notable(count: int, of: int) -> bool:
    """Whether so many pictures of so many are more than chance and rounding make."""
    return count > max(1, SHARE * of)


def of_outputs(model: Model, pixels: Tensor) -> list[str]:
    """What the logits of some pictures, asked for twice, say of a model."""
    with torch.no_grad():
        first, second = (model(pixels).float() for _ in range(2))
    found = []
    apart = float((first - second).abs().max())
    if apart > _ALIKE * max(1.0, float(first.abs().max())):
        found.append(
            f"The model answers differently to the same pictures, by up to {apart:.3g} in a logit: what fools it once "
            "may not fool it again, and attacks that take one gradient at a time are weak against it."
        )
    is_share = (first.min() > -_SUMS) & (first.max() < 1 + _SUMS) & ((first.sum(1) - 1).abs().max() < _SUMS)
    if is_share:
        found.append(
            "The outputs look like probabilities, for they lie in [0, 1] and add up to 1: taken for logits their "
            "gradients are small where the model is sure. Attack the model before its softmax."
        )
    return found


def of_gradients(flat: int, left: int, attacked: int) -> list[str]:
    """What gradients say that were nearly 0 in most steps, of so many of the pictures that stayed right."""
    if not is_notable(flat, attacked):
        return []
    return [
        f"The gradient was 0 or nearly so in most steps for {flat} of the {left} pictures that stayed right, so that "
        "nothing was tried on these: take apgd(loss=dlr), which confidence does not stop, or square, which needs no "
        "gradient."
    ]


def of_squares(fooled: int, attacked: int) -> list[str]:
    """What it says that squares fooled so many pictures that the attacks by the gradient had left."""
    if not is_notable(fooled, attacked):
        return []
    return [
        f"Squares, which see no gradient, fooled {fooled} pictures that the attacks by the gradient did not: the "
        "gradient misleads, and an attack made for this model may fool still more."
    ]
