"""Evolved patterns of which a network is sure (Nguyen et al. 2015, "Deep Neural Networks Are Easily Fooled").

As there, patterns are bred for all classes at once by MAP-Elites: of each class the pattern is kept that the network is
surest of, each child of one is tried on all classes, and it takes the place of any that it beats, so that a pattern may
come to be of one class by way of another. No gradient is needed.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cnnlab.attacks.fooling import Fooled, check_confidence, opened, settled, wanted_class
from cnnlab.attacks.patterns import Pattern
from cnnlab.attacks.perturbed import Attacked, Victim, class_head, victim
from cnnlab.attacks.rounding import rounded
from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import track
from cnnlab.models import Head

_CHILDREN = 100
"""Patterns of a generation."""


def from_patterns(
    model: Attacked,
    target: str | int | Sequence[str | int] | None = "all",
    *,
    confidence: float = 0.99,
    generations: int = 300,
    column: str | None = None,
    seed: int = 0,
    device: str | None = None,
    offline: bool = False,
) -> Fooled:
    """Patterns that compositional networks draw, bred until a model is sure that each is of a class.

    :param model: a run, a model by itself, or the name of either; it needs no gradient.
    :param target: the class, or several, by names or numbers, or ``all`` classes.
    :param confidence: the probability that it is to have.
    :param generations: of 100 patterns each, after which it is given up.
    :raises UsageError: for a class that there is not, or a model without classes.
    """
    check_confidence(confidence)
    if generations < 1:
        raise UsageError(f"generations is at least 1; got {generations}.")
    predictor, name = opened(model, device, offline)
    wanted = _wanted(class_head(predictor.classifier, column), target)
    draw = np.random.default_rng(seeds.derive(seed, "patterns"))
    with victim(predictor, column) as placed:
        elites = _Elites(placed, draw)
        for generation in track(range(generations), "breeding patterns", generations):
            elites.breed(generation)
            if (elites.sure[wanted] >= confidence).all():
                break
        pixels, targets = elites.pixels[wanted], torch.tensor(wanted, device=elites.pixels.device)
        steps = elites.generation[wanted].numpy() + 1
        return settled(placed, "pattern", name, None, pixels, targets, steps, confidence, seed)


def _wanted(head: Head, target: str | int | Sequence[str | int] | None) -> list[int]:
    if target == "all" and "all" not in head.names:
        return list(range(len(head.names)))
    words = [target] if isinstance(target, str | int) or target is None else list(target)
    return list(dict.fromkeys(wanted_class(head, word) for word in words))


class _Elites:
    """Of each class the pattern that the model is surest of.

    :ivar sure: the probability of the class for it, K; ``generation`` in which it was bred.
    """

    def __init__(self, placed: Victim, draw: np.random.Generator) -> None:
        self.placed, self.draw = placed, draw
        self.shape, classes = placed.model.shape, len(placed.head.names)
        self.patterns: list[Pattern | None] = [None] * classes
        self.sure, self.generation = torch.full((classes,), -1.0), torch.zeros(classes, dtype=torch.long)
        self.pixels: Tensor = torch.zeros(classes, *self.shape, device=self._device())

    def breed(self, generation: int) -> None:
        """Children of the elites, or at first patterns drawn, each tried on all classes."""
        known = [pattern for pattern in self.patterns if pattern is not None]
        if known:
            parents = self.draw.integers(len(known), size=_CHILDREN)
            children = [known[parent].changed(self.draw) for parent in parents]
        else:
            children = [Pattern.drawn(self.shape[0], self.draw) for _ in range(_CHILDREN)]
        pictures = np.stack([child.picture(*self.shape[1:]) for child in children])
        pixels = rounded(torch.from_numpy(pictures).to(self._device()))
        with torch.no_grad():
            sure, best = self.placed.logits(pixels).float().softmax(1).max(0)
        sure, best = sure.cpu(), best.cpu()
        for number in (sure > self.sure).nonzero()[:, 0].tolist():
            child = int(best[number])
            self.patterns[number], self.sure[number] = children[child], sure[number]
            self.pixels[number], self.generation[number] = pixels[child], generation

    def _device(self) -> torch.device:
        return next(self.placed.model.parameters(), torch.empty(0)).device
