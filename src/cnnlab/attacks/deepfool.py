"""DeepFool: step by step onto the nearest plane that the network's boundaries look like from where one stands."""

from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor

from cnnlab.attacks.aims import Aim
from cnnlab.attacks.attack import ATTACKS
from cnnlab.attacks.least_change import LeastChange
from cnnlab.attacks.norms import DUALS, Norm, length, steepest
from cnnlab.attacks.problem import ClassProblem
from cnnlab.core.arguments import Count, NonNegative, Positive, Range

_ACROSS = {False: 1e-4, True: 1e-6}
"""Each step is so much longer, without the box and with it. The first is that of the authors' code: steps that are
clipped would only ever come nearer. The second is for what float32 cannot tell apart from the plane."""


@ATTACKS.register("deepfool")
class DeepFool(LeastChange):
    """DeepFool: onto the nearest of the planes that boundaries look like (Moosavi-Dezfooli et al. 2016).

    Algorithm 2 of the paper, as its authors' code has it: the sum of all steps is lengthened by the overshoot, and the
    next step starts from there. The likeliest other classes are chosen anew at every step. With a target the one plane
    is that between it and what is predicted.

    Pictures are brought into [0, 1] at every step; how long the perturbation would be without that is told as
    ``unclipped_length``. The paper knows no such bounds: what is clipped is missing on the way to the plane, about half
    of it where much is black, and further steps have to make up for it. So, unless ``box`` is off, a pixel at 0 or 1
    does not count towards a plane that lies beyond: distances are those within the box, which takes fewer steps and
    leads to nearer pictures.

    :param norm: in L2 steps go straight to the plane (equation 8), in L∞ along the signs (equation 11).
    :param overshoot: by what share the perturbation goes beyond the planes, so as to get across.
    :param steps: how many at most.
    :param classes: how many are looked at, the right one and the likeliest others.
    :param box: whether the way to a plane keeps to [0, 1].
    :param growth: by what share the perturbation may grow further until the picture fools the model rounded to 8 bits
        too: by 2%, 4%, 8% and so on; 0 keeps what was found.
    :param target: see ``pgd``.
    """

    name = "deepfool"

    def __init__(
        self,
        norm: Literal["l2", "linf"] = "l2",
        overshoot: Positive = 0.02,
        steps: Count = 50,
        classes: Annotated[int, Range(2)] = 10,
        box: bool = True,
        growth: NonNegative = 1.0,
        target: Aim = None,
    ) -> None:
        self.norm: Norm = norm
        self.overshoot, self.steps, self.classes, self.box = overshoot, steps, classes, box
        self.growth, self.target = growth, target

    def nearest(self, problem: ClassProblem) -> tuple[Tensor, Tensor]:
        """Where the steps led; of pictures that never got across, where the last one did."""
        found = torch.zeros_like(problem.pixels)
        fooled = torch.zeros(len(problem), dtype=torch.bool, device=found.device)
        rows, part = torch.arange(len(problem), device=found.device), problem
        pixels, change = problem.pixels, found
        for _ in range(self.steps):
            change = change + self._step(part, pixels)
            found[rows] = (1 + self.overshoot) * change
            pixels = (part.pixels + found[rows]).clamp(0, 1)
            # Asked without a gradient first: the many passes backward are then of those that are left.
            done = part.is_fooled(part.outputs(pixels))
            fooled[rows] = done
            left = (~done).nonzero()[:, 0]
            if len(left) < len(rows):
                rows, part, pixels, change = rows[left], part.take(left), pixels[left], change[left]
            if not len(rows):
                break
        return found, fooled

    def _step(self, problem: ClassProblem, pixels: Tensor) -> Tensor:
        """The way to the nearest plane, N×C×H×W; none where all gradients are 0."""
        _, gaps, gradients = problem.gradients(pixels, partial(self._gaps, problem))
        nearest = torch.full((len(pixels),), torch.inf, dtype=pixels.dtype, device=pixels.device)
        way = torch.zeros_like(pixels)
        for gap, gradient in zip(gaps.abs().unbind(1), gradients, strict=True):
            if self.box:
                gradient = gradient.masked_fill(_is_leaving(pixels, gradient), 0)
            distance = gap / length(gradient, DUALS[self.norm]) + _ACROSS[self.box]
            nearer = distance < nearest
            nearest = torch.where(nearer, distance, nearest)
            way = torch.where(nearer[:, None, None, None], gradient, way)
        return nearest.nan_to_num(posinf=0)[:, None, None, None] * steepest(way, self.norm)

    def _gaps(self, problem: ClassProblem, outputs: Tensor) -> Tensor:
        """How far the logits of the classes that might be predicted lie above that of the one that is, N×M."""
        if problem.targets is not None:
            return outputs.gather(1, problem.targets[:, None]) - outputs.amax(1, keepdim=True)
        right = problem.labels[:, None]
        others = min(self.classes, outputs.shape[1]) - 1
        likeliest = outputs.detach().scatter(1, right, -torch.inf).topk(others).indices
        return outputs.gather(1, likeliest) - outputs.gather(1, right)


def _is_leaving(pixels: Tensor, way: Tensor) -> Tensor:
    """Which numbers are at 0 or 1 and would go beyond."""
    return ((pixels <= 0) & (way < 0)) | ((pixels >= 1) & (way > 0))
