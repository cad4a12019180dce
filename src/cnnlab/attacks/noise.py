"""Noise of the size of a budget: what an attack must beat before it is one."""

import torch
from torch import Tensor

from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.norms import USUAL_BUDGETS, Norm, drawn_within, steepest, within
from cnnlab.attacks.problem import Problem
from cnnlab.core.arguments import Count, Fraction, NonNegative


class Noise(Attack):
    """Draws again and again until a picture fools the model; the draws of those that never do are the last."""

    needs_gradient = False
    trains = True
    repeats: int

    def drawn(self, problem: Problem) -> Tensor:
        """Noisy pictures, N×C×H×W."""
        raise NotImplementedError

    def search(self, problem: Problem) -> Tensor:
        """The first draw that fools the model, of ``repeats``."""
        found, rows = problem.pixels.clone(), torch.arange(len(problem))
        for _ in range(self.repeats):
            part = problem.take(rows)
            changed = self.drawn(part)
            found[rows] = changed
            if not problem.is_judged:
                break
            rows = rows[~part.fooled(changed).cpu()]
            if not len(rows):
                break
        return found


@ATTACKS.register("uniform-noise")
class UniformNoise(Noise):
    """A point drawn evenly from the budget.

    :param norm: what the budget is measured in.
    :param eps: the budget; unless given 8/255 in L∞, 0.5 in L2, 12 in L1.
    :param repeats: how often at most it is drawn for a picture.
    """

    name = "uniform-noise"

    def __init__(self, norm: Norm = "linf", eps: NonNegative | None = None, repeats: Count = 1) -> None:
        self.norm: Norm = norm
        self.eps: float = USUAL_BUDGETS[norm] if eps is None else eps
        self.repeats = repeats

    def drawn(self, problem: Problem) -> Tensor:
        """Noisy pictures."""
        return (problem.pixels + drawn_within(problem.draws, problem.pixels, self.norm, self.eps)).clamp(0, 1)


@ATTACKS.register("gaussian-noise")
class GaussianNoise(Noise):
    """Noise of a normal distribution, as long in L2 as the budget before it is clipped to [0, 1].

    :param eps: the budget in L2.
    :param repeats: how often at most it is drawn for a picture.
    """

    name = "gaussian-noise"
    norm = "l2"

    def __init__(self, eps: NonNegative = USUAL_BUDGETS["l2"], repeats: Count = 1) -> None:
        self.eps: float = eps
        self.repeats = repeats

    def drawn(self, problem: Problem) -> Tensor:
        """Noisy pictures."""
        noise = steepest(problem.draws.normal(*problem.pixels.shape[1:]), "l2")
        return within(problem.pixels + self.eps * noise, problem.pixels, "l2", self.eps)


@ATTACKS.register("salt-and-pepper")
class SaltAndPepper(Noise):
    """Pixels drawn one by one become black or white, all channels together.

    :param share: of the pixels.
    :param repeats: how often at most it is drawn for a picture.
    """

    name = "salt-and-pepper"

    def __init__(self, share: Fraction = 0.05, repeats: Count = 1) -> None:
        self.share, self.repeats = share, repeats

    def drawn(self, problem: Problem) -> Tensor:
        """Speckled pictures."""
        height, width = problem.pixels.shape[2:]
        order = problem.draws.uniform(1, height, width).flatten(1).argsort(1).argsort(1)
        chosen = (order < round(self.share * height * width)).view(-1, 1, height, width)
        colour = problem.draws.integers(2, 1, height, width).to(problem.pixels.dtype)
        return torch.where(chosen, colour, problem.pixels)
