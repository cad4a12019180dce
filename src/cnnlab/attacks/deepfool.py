"""DeepFool: step by step onto the nearest plane that the network's boundaries look like from where one stands."""

from collections.abc import Iterable
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

_ACROSS = 1e-4
"""Each step after the first is so much longer, as all are in the authors' code: steps that are clipped would only ever
come nearer to the plane."""


@ATTACKS.register("deepfool")
class DeepFool(LeastChange):
    """DeepFool: onto the nearest of the planes that boundaries look like (Moosavi-Dezfooli et al. 2016).

    Algorithm 2 of the paper, as its authors' code has it: the sum of all steps is lengthened by the overshoot, and the
    next step starts from there. The likeliest other classes are chosen anew at every step. With a target the one plane
    is that between it and what is predicted.

    Pictures are brought into [0, 1] at every step; how long the perturbation would be without that is told as
    ``unclipped_length``. Solved pictures leave the batch.

    :param norm: in L2 steps go straight to the plane (equation 8), in L∞ along the signs (equation 11).
    :param overshoot: by what share the perturbation goes beyond the planes, so as to get across.
    :param steps: how many at most.
    :param classes: how many are looked at, the right one and the likeliest others.
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
        growth: NonNegative = 1.0,
        target: Aim = None,
    ) -> None:
        self.norm: Norm = norm
        self.overshoot, self.steps, self.classes, self.growth, self.target = overshoot, steps, classes, growth, target

    def nearest(self, problem: ClassProblem) -> tuple[Tensor, Tensor]:
        """Where the steps led; of pictures that never got across, where the last one did."""
        found = torch.zeros_like(problem.pixels)
        fooled = torch.zeros(len(problem), dtype=torch.bool, device=found.device)
        rows, part = torch.arange(len(problem), device=found.device), problem
        pixels, change = problem.pixels, found
        for step in range(self.steps + 1):
            outputs, gaps, gradients = part.gradients(pixels, partial(self._gaps, part))
            done = part.is_fooled(outputs)
            fooled[rows] = done
            left = (~done).nonzero()[:, 0]
            if step == self.steps or not len(left):
                break
            if len(left) < len(rows):
                rows, part, pixels, change = rows[left], part.take(left), pixels[left], change[left]
                # No gradient is computed yet. Solved pictures would go along through all passes backward; unless they
                # are few, one more pass forward without them is less.
                if (len(done) - len(left)) * gaps.shape[1] > len(left):
                    _, gaps, gradients = part.gradients(pixels, partial(self._gaps, part))
                else:
                    gaps, gradients = gaps[left], (gradient[left] for gradient in gradients)
            change = change + self._way(gaps, gradients, _ACROSS if step else 0.0)
            found[rows] = (1 + self.overshoot) * change
            pixels = (part.pixels + found[rows]).clamp(0, 1)
        return found, fooled

    def _way(self, gaps: Tensor, gradients: Iterable[Tensor], across: float) -> Tensor:
        """To the nearest plane and so far across, N×C×H×W; none where all gradients are 0."""
        nearest = torch.full_like(gaps[:, 0], torch.inf)
        way = torch.zeros((), device=gaps.device)
        for gap, gradient in zip(gaps.abs().unbind(1), gradients, strict=True):
            distance = gap / length(gradient, DUALS[self.norm]) + across
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
