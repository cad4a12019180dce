"""Whether an attack can be trusted: what takes further runs of it, and of others, to tell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from cnnlab.attacks.adversarial import Adversarial, Row
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.checks import is_notable
from cnnlab.attacks.draws import PictureDraws
from cnnlab.attacks.norms import WORDS
from cnnlab.attacks.perturbed import Attacked, victim
from cnnlab.attacks.problem import ClassProblem
from cnnlab.attacks.trials import Trials
from cnnlab.core.registry import BoundCall
from cnnlab.evaluation import Predictor
from cnnlab.models import batch_for, on_device

_GROWING = 0.1
"""Twice the steps that gain so much more are steps that were missing."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked for.

    :param name: in a few words.
    :param finding: what came of it, a sentence.
    :param is_warning: whether that casts doubt on the attack.
    """

    name: str
    finding: str
    is_warning: bool

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        return {"name": self.name, "finding": self.finding, "is_warning": self.is_warning}


@dataclass(frozen=True, eq=False)
class AttackCheck:
    """An attack, and what became of looking for reasons not to trust it.

    :param adversarial: what the attack found.
    :param checks: what was looked for besides; those that the attack does not allow are left out.
    """

    adversarial: Adversarial
    checks: tuple[Check, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What casts doubt on the attack, in sentences: of its course, and of the checks."""
        return (*self.adversarial.warnings, *(each.finding for each in self.checks if each.is_warning))

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain JSON."""
        found = self.adversarial.to_dict()
        return {**found, "checks": [each.to_dict() for each in self.checks], "warnings": list(self.warnings)}

    def __repr__(self) -> str:
        return f"AttackCheck({self.adversarial.attack}: {len(self.checks)} checks, {len(self.warnings)} warnings)"


def check_attack(
    model: Attacked,
    images: Any,
    labels: Any,
    attack: object = "pgd",
    *,
    queries: int = 1000,
    column: str | None = None,
    seed: int = 0,
    pictures: Sequence[int] | None = None,
    batch_size: int | None = None,
    device: str | None = None,
) -> AttackCheck:
    """Looks for reasons not to trust an attack on a model (Athalye et al. 2018; Carlini et al. 2019; RobustBench).

    On the pictures that stayed right: whether twice the steps fool more, or raise the loss further; whether a budget
    without bounds leaves some; whether squares, which see no gradient, fool what the attack did not. It takes several
    times as long as the attack.

    :param model: a run, a model by itself, or the name of either.
    :param images: N×C×H×W or C×H×W of the model's own shape, uint8 or float in [0, 1], tensor or array.
    :param labels: the right class of each, by its name or number.
    :param attack: a spec; an attack without a gradient has nothing to be checked but its course.
    :param queries: of the squares, at most.
    :param column: of several heads with classes, which is attacked; the first unless given.
    :param pictures: a number for each, by which random numbers are drawn; their places unless given.
    :param batch_size: how many are attacked at once; as many as are quick unless given.
    :param device: another device than the model's own.
    :raises UsageError: as of :func:`cnnlab.attacks.perturb`.
    """
    bound = ATTACKS.bind(attack)
    built = bound.build()
    options = {"column": column, "seed": seed, "batch_size": batch_size}
    tried = Trials.of(model, images, labels, pictures, device, **options)
    found = tried(bound, np.arange(len(tried)))
    # With every class a target in turn, a picture is left when any of its rows is.
    left = np.unique(found.places[found.right & ~found.fooled])
    checks = []
    if built.needs_gradient:
        if "steps" in bound.arguments:
            checks.append(_more_steps(bound, found, left, tried, column))
        checks.append(_unbounded(bound, found, left, tried))
        if built.eps is not None and built.norm is not None and "square" not in built.members:
            checks.append(_squares(built, found, left, tried, queries))
    return AttackCheck(found, tuple(checks))


def _more_steps(bound: BoundCall[Attack], found: Adversarial, left: Row, tried: Trials, column: str | None) -> Check:
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


def _unbounded(bound: BoundCall[Attack], found: Adversarial, left: Row, tried: Trials) -> Check:
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


def _squares(built: Attack, found: Adversarial, left: Row, tried: Trials, queries: int) -> Check:
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
