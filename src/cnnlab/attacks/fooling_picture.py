"""A picture driven to another class while it looks the same: the least change that makes a model sure of that."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnlab.attacks.aims import aimed
from cnnlab.attacks.attack import ATTACKS
from cnnlab.attacks.draws import PictureDraws
from cnnlab.attacks.fooling import Fooled, SureProblem, check_confidence, opened, settled
from cnnlab.attacks.norms import USUAL_BUDGETS, Norm
from cnnlab.attacks.perturbed import Attacked, Victim, class_head, victim
from cnnlab.attacks.projected import ProjectedGradient
from cnnlab.attacks.rounding import rounded, rounded_within
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import track
from cnnlab.core.sinks import in_short
from cnnlab.models import Head, class_index, given_pixels, on_device, require_gradient

_DOUBLINGS, _BISECTIONS = 12, 6
_FIRST = 1 / 8
"""Of the usual budget, where it begins to grow."""


def from_pictures(
    model: Attacked,
    images: Any,
    target: str | int | None = None,
    *,
    confidence: float = 0.9,
    norm: Norm = "l2",
    steps: int = 40,
    attack: object = None,
    column: str | None = None,
    seed: int = 0,
    device: str | None = None,
    offline: bool = False,
) -> Fooled:
    """Pictures changed as little as can be until a model is sure that they are of another class.

    The budget of projected gradient descent is doubled until it succeeds, and then halved in: after six bisections what
    is left is within 2% of the least budget at which it does. What another attack finds may be less.

    :param images: N×C×H×W or C×H×W of the model's own shape, uint8 or float in [0, 1].
    :param target: the class that they are to be taken for, by its name or number, ``second`` (unless given) for the
        likeliest other, ``least-likely`` or ``random``.
    :param confidence: the probability that it is to have.
    :param norm: what is kept small; ``steps`` of each budget.
    :param attack: the spec of an attack that is used in place of growing budgets, such as ``deepfool``.
    :raises UsageError: for a class that there is not or that a picture is taken for already; for a model without a
        gradient or without classes.
    """
    check_confidence(confidence)
    predictor, name = opened(model, device, offline)
    _check_target(class_head(predictor.classifier, column), target)
    other = None if attack is None else ATTACKS.bind(attack).build()
    if other is None or other.needs_gradient:
        require_gradient(predictor.classifier, "the least change goes by the gradient")
    given = given_pixels(images, predictor.classifier.shape)
    with victim(predictor, column) as placed:
        pixels = rounded(on_device(given, placed.model).clone())
        draws = PictureDraws(seed, range(len(pixels)), predictor.device)
        targets = _targets(placed, pixels, target, draws)
        problem = SureProblem(placed.logits, pixels, draws, targets, confidence)
        if other is not None:
            changed = rounded_within(other(problem), pixels, other.norm, other.eps)
        else:
            rows = track(range(len(pixels)), "changing pictures", len(pixels))
            found = [_least(problem.take(torch.tensor([row])), norm, steps) for row in rows]
            changed = torch.cat(found)
        counts = problem.backwards.numpy()
        return settled(placed, "picture", name, pixels, changed, targets, counts, confidence, seed)


def _check_target(head: Head, target: str | int | None) -> None:
    if target == "all" and "all" not in head.names:
        raise UsageError("a picture is driven to one class: name it, or second, least-likely or random.")
    if target is not None and (target in head.names or target not in ("second", "least-likely", "random")):
        class_index(head, target)


def _targets(placed: Victim, pixels: Tensor, target: str | int | None, draws: PictureDraws) -> Tensor:
    """The class that each is to be taken for.

    :raises UsageError: where it is taken for that already.
    """
    with torch.no_grad():
        outputs = placed.logits(pixels)
    said = outputs.argmax(1)
    rows, targets = aimed("second" if target is None else target, outputs, said, placed.head, draws)
    assert targets is not None
    if len(rows) < len(pixels):
        there = set(rows.tolist())
        place = next(row for row in range(len(pixels)) if row not in there)
        which = "the picture" if len(pixels) == 1 else f"picture {place}"
        raise UsageError(
            f"{which} is taken for {in_short(placed.head.names[int(said[place])])} already: name another target, or "
            "another picture."
        )
    return targets


def _least(problem: SureProblem, norm: Norm, steps: int) -> Tensor:
    """One picture, 1×C×H×W, with the least change found; with the one of the largest budget where none succeeds."""
    eps = _FIRST * USUAL_BUDGETS[norm]
    if norm != "linf":
        # The usual ones are for 32×32 in colour.
        eps *= float(np.sqrt(problem.pixels[0].numel() / 3072)) if norm == "l2" else problem.pixels[0].numel() / 3072
    low, best = 0.0, None
    for _ in range(_DOUBLINGS):
        best, done = _within(problem, norm, eps, steps)
        if done:
            break
        low, eps = eps, 2 * eps
    else:
        return best if best is not None else problem.pixels
    high = eps
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        tried, done = _within(problem, norm, middle, steps)
        if done:
            best, high = tried, middle
        else:
            low = middle
    return best


def _within(problem: SureProblem, norm: Norm, eps: float, steps: int) -> tuple[Tensor, bool]:
    attack = ProjectedGradient(norm, eps, steps, random_start=False)
    changed, done = attack.climb(problem)
    return changed.clamp(0, 1), bool(done.all())
