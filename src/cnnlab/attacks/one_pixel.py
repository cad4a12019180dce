"""The one-pixel attack: where a pixel lies and what colour it gets, by differential evolution."""

from typing import Annotated

import torch
from torch import Tensor

from cnnlab.attacks.aims import Aim
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.problem import Problem
from cnnlab.attacks.rounding import rounded
from cnnlab.core.arguments import Count, Positive, Range
from cnnlab.models import batch_for

_MOST_AT_ONCE = 256


@ATTACKS.register("one-pixel")
class OnePixel(Attack):
    """The one-pixel attack, by differential evolution and without a gradient (Su et al. 2019, section III-B).

    A member of the population is some pixels, each with its place and its colour of 8 bits. At each step every member
    has a child, x_a + factor · (x_b − x_c) of three others drawn, which takes its place where the model finds the right
    class less likely, or the target likelier. Places and colours beyond the edge lie on it.

    :param pixels: how many are changed.
    :param population: how many members there are.
    :param steps: generations at most; a picture that fools the model leaves.
    :param factor: how far apart children are from their parents.
    :param target: see ``pgd``.
    """

    name = "one-pixel"
    needs_gradient = False
    norm = "l0"

    def __init__(
        self,
        pixels: Count = 1,
        population: Annotated[int, Range(4)] = 400,
        steps: Count = 100,
        factor: Positive = 0.5,
        target: Aim = None,
    ) -> None:
        self.eps: float = pixels
        self.pixels, self.population, self.steps, self.factor, self.target = pixels, population, steps, factor, target

    def search(self, problem: Problem) -> Tensor:
        """Generations until a member fools the model; of pictures that none fools the best member."""
        found = problem.pixels.clone()
        rows, part = torch.arange(len(problem), device=found.device), problem
        members = self._drawn(part)
        fitness = self._fitness(part, members)
        for step in range(self.steps + 1):
            best = fitness.argmax(1)
            changed = _painted(part.pixels, members[torch.arange(len(rows), device=best.device), best])
            found[rows] = changed
            left = (~part.fooled(changed)).nonzero()[:, 0]
            if step == self.steps or not len(left):
                break
            rows, part, members, fitness = rows[left], part.take(left), members[left], fitness[left]
            children = self._children(part, members)
            grown = self._fitness(part, children)
            better = grown > fitness
            members = torch.where(better[:, :, None, None], children, members)
            fitness = torch.where(better, grown, fitness)
        return found

    def _drawn(self, problem: Problem) -> Tensor:
        """The first population, N×P×pixels×(2 + C): rows and columns drawn evenly, colours about the middle grey."""
        channels, height, width = problem.pixels.shape[1:]
        places = problem.draws.uniform(self.population, self.pixels, 2)
        places = places * torch.tensor([height, width], device=places.device)
        colours = (128 + 127 * problem.draws.normal(self.population, self.pixels, channels)) / 255
        return torch.cat([places, colours.clamp(0, 1)], 3)

    def _children(self, problem: Problem, members: Tensor) -> Tensor:
        """Of three different members each."""
        count = self.population
        a = problem.draws.integers(count, count)
        # The second is one of the count − 1 that stand 1 to count − 1 behind the first, in a ring, the third another.
        behind = 1 + problem.draws.integers(count - 1, count)
        further = 1 + problem.draws.integers(count - 2, count)
        further = further + (further >= behind)
        x, y, z = (_of(members, place % count) for place in (a, a + behind, a + further))
        children = x + self.factor * (y - z)
        height, width = problem.pixels.shape[2:]
        limits = torch.tensor([height, width, *(1,) * problem.pixels.shape[1]], device=members.device)
        return torch.minimum(children.clamp(min=0), limits)

    def _fitness(self, problem: Problem, members: Tensor) -> Tensor:
        """The loss of each member, N×P: it ranks them as the probability of the right class or of the target does."""
        every = torch.arange(members.shape[0] * members.shape[1], device=members.device)
        fitness = []
        for some in torch.split(every, batch_for(problem.pixels.shape, _MOST_AT_ONCE)):
            part = problem.take(some // self.population)
            fitness.append(part.loss(part.outputs(_painted(part.pixels, members.flatten(0, 1)[some]))))
        return torch.cat(fitness).view(members.shape[:2])


def _of(members: Tensor, places: Tensor) -> Tensor:
    """Members N×P×… by their places, N×P."""
    return members.gather(1, places[:, :, None, None].expand(-1, -1, *members.shape[2:]))


def _painted(pictures: Tensor, members: Tensor) -> Tensor:
    """Pictures, N×C×H×W, with the pixels of one member each, N×pixels×(2 + C)."""
    height, width = pictures.shape[2:]
    row, column = members[:, :, 0].long().clamp(max=height - 1), members[:, :, 1].long().clamp(max=width - 1)
    colours = rounded(members[:, :, 2:])
    painted = pictures.clone()
    for place in range(members.shape[1]):
        painted[torch.arange(len(painted), device=painted.device), :, row[:, place], column[:, place]] = colours[
            :, place
        ]
    return painted
