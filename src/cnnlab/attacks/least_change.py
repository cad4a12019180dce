"""What attacks that look for the least change have in common: the nearest picture so far, and rounding to 8 bits."""

from abc import abstractmethod

import torch
from torch import Tensor

from cnnlab.attacks.attack import Attack
from cnnlab.attacks.norms import AnyNorm, length
from cnnlab.attacks.problem import ClassProblem, Problem

_FIRST_GROWTH = 0.02


class LeastChange(Attack):
    """An attack without a budget: of the pictures that fool the model the nearest. Subclasses write :meth:`nearest`.

    A picture that lies just across the boundary may fall back when it is rounded to 8 bits. Its perturbation then
    grows, by 2%, 4%, 8% and so on up to ``growth``, until it fools the model rounded too; where no growth does that, it
    stays as it was found. By how much it grew is told as ``growth``, its length before it is clipped to [0, 1] as
    ``unclipped_length``.

    :param growth: by what share of its length a perturbation may grow; 0 keeps what was found.
    """

    norm: AnyNorm
    growth: float = 0.0

    @abstractmethod
    def nearest(self, problem: ClassProblem) -> tuple[Tensor, Tensor]:
        """The least perturbations, N×C×H×W, and whether they fool the model as computed, N.

        What leaves [0, 1] is clipped. Of pictures that were not fooled it is what came nearest to it.
        """

    def search(self, problem: Problem) -> Tensor:
        """The nearest pictures, a little further where rounding asks for it."""
        assert isinstance(problem, ClassProblem)
        change, fooled = self.nearest(problem)
        factors = self._survived(problem, change, fooled)
        change = factors[:, None, None, None] * change
        problem.tell("growth", factors - 1)
        problem.tell("unclipped_length", length(change, self.norm))
        return (problem.pixels + change).clamp(0, 1)

    def _survived(self, problem: ClassProblem, change: Tensor, fooled: Tensor) -> Tensor:
        """How many times as long each perturbation is to be, N."""
        factors = torch.ones(len(change), dtype=change.dtype, device=change.device)
        if self.growth <= 0:
            return factors
        rows, growth = fooled.nonzero()[:, 0], 0.0
        while len(rows) and growth <= self.growth:
            part = problem.take(rows)
            fooled = part.fooled((part.pixels + (1 + growth) * change[rows]).clamp(0, 1))
            factors[rows[fooled]] = 1 + growth
            rows, growth = rows[~fooled], max(_FIRST_GROWTH, 2 * growth)
        return factors


class Nearest:
    """The nearest pictures found so far that fool a model; of those where none did, the one that came closest to it."""

    def __init__(self, problem: Problem) -> None:
        count, pixels = len(problem), problem.pixels
        self.pixels = pixels.clone()
        self.fooled = torch.zeros(count, dtype=torch.bool, device=pixels.device)
        self.lengths = torch.full((count,), torch.inf, dtype=pixels.dtype, device=pixels.device)
        self._margins = torch.full_like(self.lengths, -torch.inf)

    def update(self, rows: Tensor, pixels: Tensor, lengths: Tensor, margins: Tensor, fooled: Tensor) -> None:
        """Tries further pictures of some rows, M: how far they are changed, their margins, and whether they fool."""
        closer = ~self.fooled[rows] & (margins > self._margins[rows])
        better = torch.where(fooled, lengths < self.lengths[rows], closer)
        places = rows[better]
        self.pixels[places], self._margins[places] = pixels[better], margins[better]
        self.fooled[places] = fooled[better]
        self.lengths[places] = torch.where(fooled[better], lengths[better], torch.inf)
