"""Noise driven to a class: pictures that mean nothing to the eye, and of which a network is sure."""

import math

import torch

from cnnlab.attacks.draws import PictureDraws
from cnnlab.attacks.fooling import Fooled, SureProblem, check_confidence, opened, settled, wanted_class
from cnnlab.attacks.perturbed import Attacked, class_head, victim
from cnnlab.attacks.projected import Projected
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import announcing
from cnnlab.models import require_gradient

_STRIDE = 0.01
"""Root mean square of the change of a pixel at each step, of the range from black to white."""


def from_noise(
    model: Attacked,
    target: str | int | None,
    *,
    confidence: float = 0.99,
    n: int = 3,
    steps: int = 1000,
    column: str | None = None,
    seed: int = 0,
    device: str | None = None,
    offline: bool = False,
) -> Fooled:
    """Pictures of even noise changed along the gradient until a model is sure that they are of a class.

    Each step is of one length in L2, and pictures stay in [0, 1]; a picture is done once the model is sure of it as it
    is and rounded to 8 bits.

    :param model: a run, a model by itself, or the name of either.
    :param target: the class, by its name or number; ``confidence`` the probability that it is to have.
    :param n: how many pictures, each from noise of its own.
    :param steps: after how many it is given up.
    :raises UsageError: for a class that there is not, or a model without a gradient or without classes.
    """
    check_confidence(confidence)
    if n < 1 or steps < 1:
        raise UsageError(f"n and steps are at least 1; got n={n} and steps={steps}.")
    predictor, name = opened(model, device, offline)
    wanted = wanted_class(class_head(predictor.classifier, column), target)
    require_gradient(predictor.classifier, "noise is driven along the gradient")
    with victim(predictor, column) as placed, announcing(f"driving noise to {placed.head.names[wanted]}"):
        shape = placed.model.shape
        draws = PictureDraws(seed, range(n), predictor.device)
        start = draws.uniform(*shape)
        targets = torch.full((n,), wanted, device=start.device)
        across = math.sqrt(math.prod(shape))
        drive = Driven("l2", eps=across, steps=steps, step=_STRIDE * across, target=None)
        problem = SureProblem(placed.logits, start, draws, targets, confidence)
        pixels, _ = drive.climb(problem)
        return settled(placed, "noise", name, start, pixels, targets, problem.backwards.numpy(), confidence, seed)


class Driven(Projected):
    """Steps from the picture itself, as far as the whole range of pixels goes."""

    name = "driven"
