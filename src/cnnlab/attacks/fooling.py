"""Pictures made or changed until a model is sure of a class: what it comes to, and how sure is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.attacks.adversarial import Answers, Row
from cnnlab.attacks.aims import RULES
from cnnlab.attacks.draws import Draws
from cnnlab.attacks.perturbed import Attacked, Victim, model_name
from cnnlab.attacks.problem import ClassProblem, Model
from cnnlab.attacks.rounding import rounded
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.sinks import in_short
from cnnlab.evaluation import Predictor, open_model, predictor_of
from cnnlab.models import Head, class_index

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fooled:
    """Pictures N×C×H×W that a model is to take for a class.

    :param way: how they were made: ``noise``, ``picture`` or ``pattern``.
    :param model: what it is called; ``classes`` of the head that is fooled.
    :param start: what they began as, float32 in [0, 1]; None for patterns, which began as nothing.
    :param pixels: what they became, rounded to 8 bits: multiples of 1/255.
    :param targets: the class that each is to be taken for.
    :param before: what the model said of them at first, ``after`` what it says of ``pixels``.
    :param likelihood: the probability of the target, N; ``confidence`` that was wanted of it.
    :param steps: how many of the gradient, or generations, each took.
    """

    way: str
    model: str
    classes: tuple[str, ...]
    start: Floats | None
    pixels: Floats
    targets: Row
    before: Answers | None
    after: Answers
    likelihood: Floats
    steps: Row
    confidence: float
    seed: int

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def reached(self) -> NDArray[np.bool_]:
        """Which are taken for their target, and as surely as was wanted."""
        reached: NDArray[np.bool_] = (self.after.predicted == self.targets) & (self.likelihood >= self.confidence)
        return reached

    @property
    def rounded(self) -> NDArray[np.uint8]:
        """The pictures as files keep them."""
        bytes_: NDArray[np.uint8] = np.round(self.pixels * 255).astype(np.uint8)
        return bytes_

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain JSON."""
        return {
            "from": self.way,
            "model": self.model,
            "confidence_wanted": self.confidence,
            "seed": self.seed,
            "reached": int(self.reached.sum()),
            "pictures": [
                {
                    "target": self.classes[self.targets[place]],
                    "predicted": self.classes[self.after.predicted[place]],
                    "likelihood_of_target": float(self.likelihood[place]),
                    "steps": int(self.steps[place]),
                    **({} if self.before is None else {"before": self.classes[self.before.predicted[place]]}),
                    **({} if self.start is None or self.way != "picture" else {"change": self._change(place)}),
                }
                for place in range(len(self))
            ],
        }

    def _change(self, place: int) -> dict[str, float]:
        assert self.start is not None
        difference = (self.pixels[place] - self.start[place]).ravel()
        return {"linf": float(np.abs(difference).max()), "l2": float(np.sqrt(np.square(difference).sum()))}

    def __repr__(self) -> str:
        return (
            f"Fooled(from {self.way}: {len(self)} pictures, {int(self.reached.sum())} at {self.confidence:g} or more)"
        )


class SureProblem(ClassProblem):
    """Pictures of which the model is to be sure that they are of their targets.

    :param confidence: the probability that is wanted.
    """

    def __init__(self, model: Model, pixels: Tensor, draws: Draws, targets: Tensor, confidence: float) -> None:
        # Of the right class nothing is asked where there is a target.
        super().__init__(model, pixels, draws, targets, targets)
        self.confidence = confidence

    def is_fooled(self, outputs: Tensor) -> Tensor:
        """Whether the target is predicted, and as surely as is wanted."""
        assert self.targets is not None
        return super().is_fooled(outputs) & (likelihood(outputs, self.targets) >= self.confidence)


def likelihood(logits: Tensor, targets: Tensor) -> Tensor:
    """The probability of a class for each picture, N, of logits N×K."""
    return logits.softmax(1).gather(1, targets[:, None])[:, 0]


def opened(model: Attacked, device: str | None, offline: bool = False) -> tuple[Predictor, str]:
    """The model that is meant, and what it is called."""
    found = open_model(model, offline=offline) if isinstance(model, str | Path) else model
    predictor = predictor_of(found, device=device, offline=offline)
    return predictor, model_name(model, found, predictor)


def check_confidence(confidence: float) -> None:
    """Refuses what is no probability that can be reached.

    :raises UsageError: naming the bounds.
    """
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is a probability above 0 and below 1; got {confidence:g}.")


def wanted_class(head: Head, target: str | int | None) -> int:
    """The class that is named.

    :raises UsageError: when none is, or there is no such class.
    """
    if target is None:
        raise UsageError(
            f"name the class that is to be seen, as in target={in_short(head.names[0])}. "
            f"{suggestion('', head.names)}".strip()
        )
    if target in RULES and target not in head.names:
        raise UsageError(f"target={target} goes by what a picture is of, and here there is none yet: name a class.")
    return class_index(head, target)


def settled(
    placed: Victim,
    way: str,
    model: str,
    start: Tensor | None,
    pixels: Tensor,
    targets: Tensor,
    steps: Row,
    confidence: float,
    seed: int,
) -> Fooled:
    """The pictures rounded to 8 bits, with what the model says of them."""
    pixels = rounded(pixels)
    with torch.no_grad():
        logits = placed.logits(pixels)
        before = None if start is None else Answers.of(placed.logits(start))
    return Fooled(
        way,
        model,
        placed.head.names,
        None if start is None else start.float().cpu().numpy(),
        np.ascontiguousarray(pixels.float().cpu().numpy()),
        targets.cpu().numpy(),
        before,
        Answers.of(logits),
        likelihood(logits.float(), targets).cpu().numpy(),
        steps,
        confidence,
        seed,
    )
