"""The saliency-map attack: few pixels at a time, those that raise the wanted class and lower all others."""

import math
from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor

from cnnlab.attacks.aims import Aim
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.problem import ClassProblem, Problem
from cnnlab.attacks.saliency_pairs import best_pair, best_two
from cnnlab.core.arguments import Fraction, Range
from cnnlab.core.errors import UsageError

_ROOM = 0.01
"""A pixel that has less than this to go would count as changed and change nothing."""


@ATTACKS.register("jsma")
class SaliencyMap(Attack):
    """The Jacobian-based saliency-map attack, pixel by pixel or in pairs (Papernot et al. 2016, algorithms 2 and 3).

    At each step the pixel or the pair is changed by ``theta`` on which the derivatives of the wanted class and of all
    others together have the wanted signs and the largest product (equations 8 and 9); each channel is a pixel of its
    own. What lies within 1% of where it could go at most is out of the search. That ends when the picture is taken for
    the wanted class, when no pixel has both signs, or when so many are changed as ``gamma`` allows.

    The derivatives of every class are not asked for: those of all others together are one gradient, and of
    probabilities the other's negative, since they sum to 0; there the logarithm of the probability is derived, which
    has the same directions and does not vanish where it is near 0.

    :param target: see ``pgd``; none goes for the likeliest wrong class at each step.
    :param theta: what is added to a pixel at a time, from −1 to 1; below 0 pixels are lowered.
    :param gamma: the share of pixels that may be changed.
    :param of: whose derivatives are taken.
    :param pairs: whether two pixels are chosen at a time, which finds more than one by one.
    """

    name = "jsma"
    norm = "l0"

    def __init__(
        self,
        target: Aim = "all",
        theta: Annotated[float, Range(-1, 1)] = 1.0,
        gamma: Fraction = 0.145,
        of: Literal["probabilities", "logits"] = "probabilities",
        pairs: bool = True,
    ) -> None:
        if theta == 0:
            raise UsageError("theta is what is added to a pixel at a time: above 0 to raise pixels, below 0 to lower.")
        self.target, self.theta, self.gamma, self.of, self.pairs = target, theta, gamma, of, pairs

    def search(self, problem: Problem) -> Tensor:
        """Steps until each picture is taken for its target or can go no further."""
        assert isinstance(problem, ClassProblem)
        width, most = 2 if self.pairs else 1, math.floor(self.gamma * problem.pixels[0].numel())
        found = problem.pixels.clone()
        rows, part, pixels = torch.arange(len(problem), device=found.device), problem, problem.pixels
        while len(rows):
            outputs, _, gradients = part.gradients(pixels, partial(self._numbers, part))
            places, there_is = self._chosen(pixels, *gradients)
            changed = (pixels != part.pixels).flatten(1).sum(1)
            going = ~part.fooled(pixels, outputs) & there_is & (changed + width <= most)
            left = going.nonzero()[:, 0]
            if len(left) < len(rows):
                found[rows] = pixels
                rows, part, pixels, places = rows[left], part.take(left), pixels[left], places[left]
            pixels = self._changed(pixels, places)
        return found

    def _changed(self, pixels: Tensor, places: Tensor) -> Tensor:
        """Pictures with their pixels at some places changed, of which there are N×1 or N×2.

        Their order in memory stays, which convolutions go by: a sixth of a step of a photo.
        """
        changed = pixels.clone()
        _, height, width = pixels.shape[1:]
        rows = torch.arange(len(pixels), device=pixels.device)[:, None]
        at = (rows, places // (height * width), places // width % height, places % width)
        changed[at] = (pixels[at] + self.theta).clamp(0, 1)
        return changed

    def _numbers(self, problem: ClassProblem, outputs: Tensor) -> Tensor:
        """What is derived: the wanted class, and of logits all others together, N×1 or N×2."""
        wanted = problem.targets
        if wanted is None:
            wanted = outputs.detach().scatter(1, problem.labels[:, None], -torch.inf).argmax(1)
        if self.of == "probabilities":
            return outputs.log_softmax(1).gather(1, wanted[:, None])
        own = outputs.gather(1, wanted[:, None])
        return torch.cat([own, outputs.sum(1, keepdim=True) - own], 1)

    def _chosen(self, pixels: Tensor, toward: Tensor, others: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The pixels to change, N×1 or N×2, and whether there are such, N.

        :param toward: the gradient of the wanted class; ``others`` that of all others, unless it is its negative.
        """
        sign = math.copysign(1, self.theta)
        is_open = (pixels < 1 - _ROOM if self.theta > 0 else pixels > _ROOM).flatten(1)
        u = (sign * toward).flatten(1)
        if self.pairs:
            return best_two(u, is_open) if others is None else best_pair(u, (-sign * others).flatten(1), is_open)
        v = u if others is None else (-sign * others).flatten(1)
        score, place = (u * v).masked_fill_(~((u > 0) & (v > 0) & is_open), -torch.inf).max(1)
        return place[:, None], score > 0
