"""One perturbation that fools a network on most pictures (Moosavi-Dezfooli et al. 2017, "Universal adversarial
perturbations", algorithm 1).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnlab.attacks.adversarial import Answers, Row, Source
from cnnlab.attacks.chosen_pictures import chosen_pictures
from cnnlab.attacks.fooling import Floats
from cnnlab.attacks.norms import USUAL_BUDGETS, Norm, length, project
from cnnlab.attacks.perturbed import Attacked, Victim, class_head, model_name, usual_batch, victim
from cnnlab.attacks.rounding import rounded_within
from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import track
from cnnlab.evaluation import Interval, open_model, predictor_of, wilson
from cnnlab.models import on_device, require_gradient

_OVERSHOOT, _STEPS, _MOST_CLASSES = 0.02, 10, 10
"""Of DeepFool, as the paper has them: a little beyond the plane, at most so many steps, among the likeliest classes."""


@dataclass(frozen=True, eq=False)
class Universal:
    """A perturbation, and how often it fools the model.

    :param perturbation: float32 C×H×W, in units of [0, 1].
    :param norm, eps: what it is held to.
    :param source: the pictures, the first ``made_on`` of which it was made on; the others were not seen.
    :param origin, pixels: those not seen, as they are and with it, rounded to 8 bits, float32 N×C×H×W.
    :param labels: of these the right classes; ``before`` and ``after`` what the model says of them.
    :param passes: over the pictures that it was made on; ``seen`` the share of these that it fools.
    """

    perturbation: Floats
    norm: Norm
    eps: float
    classes: tuple[str, ...]
    source: Source
    made_on: int
    origin: Floats
    pixels: Floats
    labels: Row
    before: Answers
    after: Answers
    passes: int
    seen: float

    @property
    def fooling_rate(self) -> float:
        """The share of pictures not seen that are taken for another class than without it, as the paper counts."""
        return float((self.before.predicted != self.after.predicted).mean())

    @property
    def interval(self) -> Interval | None:
        """Of the fooling rate, over pictures: Wilson's, 95%."""
        return wilson(int((self.before.predicted != self.after.predicted).sum()), len(self.labels))

    @property
    def clean_accuracy(self) -> float:
        """On the pictures not seen, without it; ``robust_accuracy`` with it."""
        return float((self.before.predicted == self.labels).mean())

    @property
    def robust_accuracy(self) -> float:
        """On the pictures not seen, with it, rounded to 8 bits."""
        return float((self.after.predicted == self.labels).mean())

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain JSON."""
        interval = self.interval
        return {
            "from": "universal",
            "model": self.source.model,
            "data": self.source.data,
            "split": self.source.split,
            "seed": self.source.seed,
            "norm": self.norm,
            "eps": self.eps,
            "made_on": self.made_on,
            "passes": self.passes,
            "fooling_rate_of_those": self.seen,
            "pictures": len(self.labels),
            "fooling_rate": self.fooling_rate,
            "fooling_rate_interval": None if interval is None else interval.to_dict(),
            "clean_accuracy": self.clean_accuracy,
            "robust_accuracy": self.robust_accuracy,
        }

    def __repr__(self) -> str:
        return f"Universal({self.norm} {self.eps:g}: fools {self.fooling_rate:.4f} of pictures that it was not made on)"


def universal(
    model: Attacked,
    data: Any = None,
    split: str | None = None,
    *,
    n: int = 500,
    norm: Norm = "linf",
    eps: float | None = None,
    rate: float = 0.8,
    passes: int = 5,
    column: str | None = None,
    seed: int = 0,
    device: str | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
) -> Universal:
    """One perturbation within a budget that makes a model change its mind on most pictures.

    Picture by picture, the least change is added that fools the model on this one too, and the sum is brought back into
    the budget; over and over, until it fools a share of ``rate`` of them. It is judged on as many pictures that it was
    not made on, or as many as there are.

    :param n: how many pictures it is made on, chosen as by :func:`cnnlab.attack`.
    :param norm, eps: the budget; unless given 10/255 in L∞, as in the paper, 0.5 in L2, 12 in L1.
    :param passes: over the pictures at most.
    :raises UsageError: for a budget below 0, a model without a gradient or without classes, or too few pictures.
    """
    budget = (10 / 255 if norm == "linf" else USUAL_BUDGETS[norm]) if eps is None else eps
    if budget < 0 or n < 1 or passes < 1 or not 0 < rate <= 1:
        raise UsageError(
            f"eps is at least 0, n and passes are at least 1, and rate is a share; got eps={budget:g}, n={n}, "
            f"passes={passes}, rate={rate:g}."
        )
    opened = open_model(model, offline=offline) if isinstance(model, str | Path) else model
    predictor = predictor_of(opened, device=device, offline=offline)
    require_gradient(predictor.classifier, "a universal perturbation goes by the gradient")
    head = class_head(predictor.classifier, column)
    name = model_name(model, opened, predictor)
    where: dict[str, Any] = {"name": name, "count": 2 * n, "seed": seed, "data_dir": data_dir, "offline": offline}
    chosen = chosen_pictures(opened, predictor, head, data, split, **where)
    if len(chosen) < 2:
        raise UsageError("a universal perturbation is made on some pictures and judged on others: give at least two.")
    made_on = min(n, len(chosen) - len(chosen) // 2)
    with victim(predictor, head.name) as placed:
        pixels = chosen.pixels()
        search = _Search(placed, pixels[:made_on], norm, budget)
        done = 0
        while done < passes and search.share_fooled() < rate:
            done += 1
            search.go_over(seed, done)
        return search.judged(pixels[made_on:], chosen.labels[made_on:], chosen.source, made_on, done)


class _Search:
    """A perturbation in the making."""

    def __init__(self, placed: Victim, pixels: Tensor, norm: Norm, eps: float) -> None:
        self.placed, self.pixels, self.norm, self.eps = placed, pixels, norm, eps
        # What the model says of the pictures as they are is what it is to be talked out of.
        self.said = self.answers(pixels, None).argmax(1)
        self.perturbation = torch.zeros_like(on_device(pixels[:1], placed.model))

    def answers(self, pixels: Tensor, perturbation: Tensor | None) -> Tensor:
        """Logits N×K of pictures, with the perturbation rounded to 8 bits, or as they are."""
        found, size = [], usual_batch(self.placed)
        for start in range(0, len(pixels), size):
            part = on_device(pixels[start : start + size], self.placed.model)
            part = part if perturbation is None else self.changed(part)
            with torch.no_grad():
                found.append(self.placed.logits(part))
        return torch.cat(found)

    def changed(self, origin: Tensor) -> Tensor:
        """Pictures with the perturbation, rounded to 8 bits within the budget."""
        return rounded_within((origin + self.perturbation).clamp(0, 1), origin, self.norm, self.eps)

    def share_fooled(self) -> float:
        """Of the pictures that it is made on."""
        return float((self.answers(self.pixels, self.perturbation).argmax(1) != self.said).float().mean())

    def go_over(self, seed: int, number: int) -> None:
        """One pass over the pictures, in an order of its own."""
        order = torch.randperm(len(self.pixels), generator=seeds.generator(seed, "universal", number)).tolist()
        for row in track(order, f"pass {number}", len(order)):
            origin = on_device(self.pixels[row : row + 1], self.placed.model)
            step = self._least(origin, int(self.said[row]))
            if step is not None:
                self.perturbation = project(self.perturbation + step, self.norm, self.eps)

    def _least(self, origin: Tensor, said: int) -> Tensor | None:
        """What is to be added for this picture to be taken for another class; None where it is already.

        DeepFool (Moosavi-Dezfooli et al. 2016, algorithm 2): over and over to the nearest plane between classes.
        """
        step = torch.zeros_like(origin)
        for number in range(_STEPS):
            asked = (origin + self.perturbation + (1 + _OVERSHOOT) * step).clamp(0, 1)
            logits = self.placed.logits(asked)[0].detach()
            if int(logits.argmax()) != said:
                return None if number == 0 else (1 + _OVERSHOOT) * step
            others = [k for k in logits.argsort(descending=True)[:_MOST_CLASSES].tolist() if k != said]
            # A copy for each class, so that all gradients take one pass.
            copies = asked.expand(len(others) + 1, -1, -1, -1).detach().clone().requires_grad_(True)
            outputs = self.placed.logits(copies)
            places = torch.tensor([said, *others], device=outputs.device)
            (gradients,) = torch.autograd.grad(outputs.gather(1, places[:, None]).sum(), copies)
            normals = gradients[1:] - gradients[:1]
            gaps = (logits[said] - logits[places[1:]]).abs()
            sizes = length(normals, "l2")
            nearest = int((gaps / sizes.clamp(min=1e-12)).argmin())
            if float(sizes[nearest]) < 1e-12:
                return step if number else None
            step = step + (gaps[nearest] + 1e-4) / sizes[nearest].square() * normals[nearest]
        return (1 + _OVERSHOOT) * step

    def judged(self, pixels: Tensor, labels: Tensor, source: Source, made_on: int, passes: int) -> Universal:
        """On pictures that it was not made on."""
        origin = on_device(pixels, self.placed.model)
        changed = self.changed(origin)
        before, after = self.answers(pixels, None), self.answers(pixels, self.perturbation)
        return Universal(
            self.perturbation[0].float().cpu().numpy(),
            self.norm,
            self.eps,
            self.placed.head.names,
            source,
            made_on,
            np.ascontiguousarray(origin.float().cpu().numpy()),
            np.ascontiguousarray(changed.float().cpu().numpy()),
            labels.numpy(),
            Answers.of(before),
            Answers.of(after),
            passes,
            self.share_fooled(),
        )
