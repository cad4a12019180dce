"""Whether an attack can be trusted: what takes further runs of it, and of others, to tell."""

import math
from dataclasses import replace

import numpy as np
import torch

from cnnlab.attacks.adversarial import Adversarial, Row
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.checks import Check, is_notable
from cnnlab.attacks.draws import PictureDraws
from cnnlab.attacks.norms import WORDS
from cnnlab.attacks.perturbed import Attacked, opened, victim
from cnnlab.attacks.problem import ClassProblem
from cnnlab.attacks.trials import GivenPictures
from cnnlab.core.registry import BoundCall
from cnnlab.evaluation import Predictor
from cnnlab.models import batch_for, on_device

_GROWING = 0.1
"""Twice the steps that gain so much more are steps that were missing."""


def check_attack(
    model: Attacked | Predictor,
    found: Adversarial,
    *,
    queries: int = 1000,
    column: str | None = None,
    seed: int | None = None,
    batch_size: int | None = None,
    device: str | None = None,
) -> Adversarial:
    """Looks for reasons not to trust what an attack found (Athalye et al. 2018; Carlini et al. 2019; RobustBench).

    On the pictures that stayed right: whether twice the steps fool more, or raise the loss further; whether a budget
    without bounds leaves some; whether squares, which see no gradient, fool what the attack did not. It takes several
    times as long as the attack, which itself is not carried out again. ``cnnlab.attack(…, check=True)`` does it too,
    and keeps what comes of it.

    :param model: the one that was attacked.
    :param found: what :func:`cnnlab.attack` or :func:`cnnlab.attacks.perturb` gave.
    :param queries: of the squares, at most.
    :param column: of several heads with classes, the one that was attacked; the first unless given.
    :param seed: by which random numbers are drawn; unless given that of the attack, where it says which, or 0.
    :param batch_size: how many are attacked at once; as many as are quick unless given.
    :param device: another device than the model's own.
    :returns: the same with ``checks``, whose doubts are among its ``warnings``; what the attack does not allow is left
        out, such as steps of one that has none, and all where it goes by no gradient.
    """
    bound = ATTACKS.bind(found.attack)
    built = bound.build()
    source = found.source
    pictures, firsts, places = np.unique(found.places, return_index=True, return_inverse=True)
    found = replace(found, places=places)
    tried = GivenPictures(
        opened(model, device),
        torch.from_numpy(found.origin[firsts]),
        found.labels[firsts].tolist(),
        pictures.tolist() if source is None else [source.places[place] for place in pictures],
        # Targets that are not in the spec were named one by one.
        found.targets[firsts] if found.targets is not None and built.target is None else None,
        {
            "column": column,
            "seed": (0 if source is None else source.seed) if seed is None else seed,
            "batch_size": batch_size,
        },
    )
    # With every class a target in turn, a picture is left when any of its rows is.
    left = np.unique(places[found.right & ~found.fooled])
    checks = []
    if built.needs_gradient:
        if "steps" in bound.arguments:
            checks.append(_more_steps(bound, found, left, tried, column))
        checks.append(_unbounded(bound, found, left, tried))
        if built.eps is not None and built.norm is not None and "square" not in built.members:
            checks.append(_squares(built, found, left, tried, queries))
    return replace(found, places=pictures[places], checks=tuple(checks))


def _more_steps(
    bound: BoundCall[Attack], found: Adversarial, left: Row, tried: GivenPictures, column: str | None
) -> Check:
    name, steps = "more steps", 2 * bound.arguments["steps"]
    if not len(left):
        return Check(name, "Nothing was left for more steps to fool.", False)
    twice = tried(replace(bound, arguments={**bound.arguments, "steps": steps}), left)
    more = int(twice.fooled.sum())
    same = np.isin(found.places, left) & ~found.fooled
    once_gain, twice_gain = (_gain(each, tried.predictor, column) for each in (found, twice))
    once, again = float(once_gain[same].mean()), float(twice_gain.mean())
    is_more = is_notable(more, int(found.right.sum()))
    is_higher = again - once > _GROWING * abs(once)
    told = f"{steps} steps, twice as many, fool {more} of the {len(left)} pictures that stayed right"
    if is_more or is_higher:
        return Check(name, f"{told}, and move their logits by {again:.3g} and not {once:.3g}: take more steps.", True)
    return Check(name, f"{told}, and move their logits by {again:.3g} after {once:.3g}.", False)


def _unbounded(bound: BoundCall[Attack], found: Adversarial, left: Row, tried: GivenPictures) -> Check:
    name = "unbounded budget"
    many = int(found.right.sum())
    if found.eps is None or "eps" not in bound.arguments or found.norm is None:
        is_warning = is_notable(len(left), many)
        told = f"Without a budget {len(left)} of {many} pictures stayed right"
        return Check(name, f"{told}{_ASTRAY if is_warning else ''}.", is_warning)
    numbers = found.origin[0].size
    widest = {"linf": 1.0, "l2": math.sqrt(numbers), "l1": float(numbers)}[found.norm]
    if not len(left):
        return Check(name, f"A budget of {found.eps:.3g} left no picture right.", False)
    wide = {**bound.arguments, "eps": widest}
    if wide.get("step") is not None:
        wide["step"] *= widest / found.eps
    stay = len(left) - int(tried(replace(bound, arguments=wide), left).fooled.sum())
    is_warning = is_notable(stay, many)
    told = (
        f"Within a budget of {widest:.3g} in {WORDS[found.norm]}, where anything may be drawn, {stay} of {many} "
        "pictures stayed right"
    )
    return Check(name, f"{told}{_ASTRAY if is_warning else ''}.", is_warning)


_ASTRAY = ", and none should: the attack goes astray, and so it may within the budget asked for"


def _squares(built: Attack, found: Adversarial, left: Row, tried: GivenPictures, queries: int) -> Check:
    name = "black box"
    if not len(left):
        return Check(name, "Nothing was left for squares to fool.", False)
    spec = ATTACKS.bind(f"square(norm={built.norm}, eps={built.eps!r}, queries={queries})")
    target = {} if built.target is None else {"target": built.target}
    black = tried(replace(spec, arguments={**spec.arguments, **target}), left)
    more, many = int(black.fooled.sum()), int(found.right.sum())
    told = f"Squares, which see no gradient, fooled {more} of the {len(left)} pictures that stayed right"
    if is_notable(more, many):
        return Check(name, f"{told}: the gradient misleads, and robust accuracy is lower than the attack shows.", True)
    return Check(name, f"{told}.", False)


def _gain(found: Adversarial, predictor: Predictor, column: str | None) -> np.ndarray:
    """By how much each row's margin, the logit of what is wanted above the others, has grown."""
    gains = []
    with victim(predictor, column) as placed, torch.no_grad():
        size = batch_for(placed.model.shape)
        for start in range(0, len(found), size):
            part = slice(start, start + size)
            labels = torch.from_numpy(found.labels[part]).to(predictor.device)
            targets = None if found.targets is None else torch.from_numpy(found.targets[part]).to(predictor.device)
            before, after = (
                on_device(torch.from_numpy(each[part]), placed.model) for each in (found.origin, found.pixels)
            )
            problem = ClassProblem(placed.logits, before, PictureDraws(0, []), labels, targets)
            gains.append(problem.margin(placed.logits(after)) - problem.margin(placed.logits(before)))
    return torch.cat(gains).cpu().numpy()
