"""Pictures changed by an attack until a model errs: tensors in, tensors out."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cnnlab.attacks import checks
from cnnlab.attacks.adversarial import Adversarial
from cnnlab.attacks.aims import aimed, given_targets
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.draws import Draws, PictureDraws
from cnnlab.attacks.problem import ClassProblem, Model
from cnnlab.attacks.rounding import rounded_within
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.messages import track
from cnnlab.core.sinks import in_short
from cnnlab.evaluation import Predictor, looking, predictor_of
from cnnlab.models import Head, Predictable, batch_for, class_index, given_pixels, heads_of, on_device, require_gradient
from cnnlab.runs import Run

Attacked: TypeAlias = Run | Predictable | str | Path
"""What is attacked: a run, a model by itself, or the name of either."""
_MOST_AT_ONCE = 256
"""Pictures of up to 45×45; fewer of larger ones."""


@dataclass(frozen=True)
class Victim:
    """A model placed to be attacked.

    :param head: that is attacked.
    :param logits: from pixels N×C×H×W to its logits N×K, at least two.
    """

    model: Predictable
    head: Head
    logits: Model


@contextmanager
def victim(predictor: Predictor, column: str | None = None) -> Iterator[Victim]:
    """A block in which a model may be attacked; it is left as it was found.

    :param column: of several heads with classes, which.
    :raises UsageError: when nothing of what the model predicts is a class.
    """
    head = class_head(predictor.classifier, column)
    with looking(predictor) as model:
        yield Victim(model, head, head_logits(model, head))


def model_name(model: Attacked, opened: Run | Predictable, predictor: Predictor) -> str:
    """What captions call it: a run by its name, and a model by itself by what was named, in short.

    Of ``pretrained:squeezenet1_1(weights=…)`` that is without the arguments, of a file without its folders.
    """
    if isinstance(opened, Run) or not isinstance(model, str | Path):
        return predictor.label
    kind, colon, rest = str(model).partition("(")[0].partition(":")
    return in_short(f"{kind}:{rest}" if colon and os.sep not in rest else Path(str(model)).name)


def opened(model: Attacked | Predictor, device: str | None = None) -> Predictor:
    """What is attacked, and how it is run; one that was opened already stays as it is."""
    return model if isinstance(model, Predictor) else predictor_of(model, device=device)


def class_head(model: Predictable, column: str | None = None) -> Head:
    """The head that is attacked: the one named, or the first that predicts classes.

    :raises UsageError: listing those that there are.
    """
    _, heads = heads_of(model)
    known = {head.name: head for head in heads if head.has_classes}
    if not known:
        names = ", ".join(head.name for head in heads)
        raise UsageError(f"an attack changes which class is predicted, and this model predicts {names} as a number.")
    if column is not None and column not in known:
        raise UsageError(f"the model has no head {column} that predicts classes. {suggestion(column, known)}")
    return known[column] if column is not None else next(iter(known.values()))


def head_logits(model: Predictable, head: Head) -> Model:
    """A function from pixels to the logits of a head, N×K; a single logit for two classes becomes 0 and itself."""

    def logits(pixels: Tensor) -> Tensor:
        outputs: Tensor = model(pixels)[:, head.outputs]
        return torch.cat([torch.zeros_like(outputs), outputs], 1) if head.is_binary else outputs

    return logits


def perturb(
    model: Attacked | Predictor,
    images: Any,
    labels: Any,
    attack: object = "pgd",
    *,
    targets: Sequence[str | int] | Tensor | None = None,
    column: str | None = None,
    seed: int = 0,
    pictures: Sequence[int] | None = None,
    batch_size: int | None = None,
    device: str | None = None,
) -> Adversarial:
    """Pictures changed until a model errs, as far as an attack succeeds.

    Everything is in pixels from 0 to 1: normalisation and a permutation of pixels are inside the model, so that a
    budget is what it says. The model is in evaluation mode and left as it was found. Only pictures that are predicted
    rightly as they are get changed. What is found for a picture depends on the seed and on ``pictures``, and not on
    what else is in a batch, but for roundings.

    :param model: a run, a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param images: N×C×H×W or C×H×W of the model's own shape, uint8 or float in [0, 1], tensor or array.
    :param labels: the right class of each, by its name or number.
    :param attack: a spec, such as ``pgd(norm=l2, eps=0.5)``: one of :data:`ATTACKS`.
    :param targets: the class that each picture is to be taken for, in place of what the spec says.
    :param column: of several heads with classes, which is attacked; the first unless given.
    :param pictures: a number for each, by which random numbers are drawn; their places unless given.
    :param batch_size: how many are attacked at once; as many as are quick unless given.
    :param device: another device than the model's own.
    :raises UsageError: for an attack, class or pictures that cannot be meant; for a model without a gradient where the
        attack goes by it; when no picture is predicted rightly as it is.
    """
    bound = ATTACKS.bind(attack)
    built: Attack = bound.build()
    predictor = opened(model, device)
    if built.needs_gradient:
        require_gradient(predictor.classifier, f"{built.name} goes by the gradient")
    pixels = given_pixels(images, predictor.classifier.shape)
    with victim(predictor, column) as placed:
        right = read_labels(labels, placed.head, len(pixels), predictor.device)
        wanted = None if targets is None else given_targets(targets, right, placed.head)
        numbers = list(range(len(pixels))) if pictures is None else list(pictures)
        size = usual_batch(placed, batch_size)
        batches = attacked_in_batches(placed, built, pixels, right, wanted, numbers, seed=seed, size=size)
        parts = list(track(batches, built.name, math.ceil(len(pixels) / size)))
    found = Adversarial.joined(parts, str(bound), built, placed.head.names)
    check_attacked(found, len(pixels))
    return found


def usual_batch(placed: Victim, wanted: int | None = None) -> int:
    """How many pictures are attacked at once: as many as are quick, and fewer of larger ones, unless others are wanted.

    :raises UsageError: for none and fewer.
    """
    if wanted is not None and wanted < 1:
        raise UsageError(f"batch_size is how many pictures are attacked at once, at least 1; got {wanted}.")
    return wanted or batch_for(placed.model.shape, _MOST_AT_ONCE)


def attacked_in_batches(
    placed: Victim,
    attack: Attack,
    pixels: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    pictures: Sequence[int],
    *,
    seed: int,
    size: int,
    start: int = 0,
) -> Iterator[Adversarial]:
    """What comes of some pictures, batch by batch.

    :param pixels: N×C×H×W, uint8 or float in [0, 1]; ``labels`` and ``targets`` int64 N, on the model's device.
    :param pictures: a number for each, by which random numbers are drawn.
    :param size: how many are attacked at once.
    :param start: the place of the first among all that are attacked.
    """
    for first in range(0, len(pixels), size):
        part = slice(first, first + size)
        own = None if targets is None else targets[part]
        draws = PictureDraws(seed, pictures[part], labels.device)
        given = on_device(pixels[part], placed.model)
        yield _of_batch(placed, attack, given, labels[part], own, draws, start + first, size)


def check_attacked(found: Adversarial, count: int) -> None:
    """Refuses what attacked nothing.

    :param count: of the pictures that were given.
    :raises UsageError: saying why nothing was attacked.
    """
    if not len(found):
        raise UsageError(
            f"all of {count:,} pictures are of the class that they are to be taken for. Name another target, or other "
            "pictures."
        )
    if not found.right.any():
        raise UsageError(
            f"none of {count:,} pictures is predicted rightly as it is, so there is nothing to fool. Give labels as "
            "the model has them, or other pictures."
        )


def label_words(labels: Any, count: int) -> list[str | int]:
    """Labels as they were given, one for each picture.

    :raises UsageError: for another number than there are pictures.
    """
    words = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    if len(words) != count:
        raise UsageError(f"labels names {len(words)} classes for {count} pictures: give one for each.")
    return words


def read_labels(labels: Any, head: Head, count: int, device: str) -> Tensor:
    """Labels as numbers, N.

    :raises UsageError: for a class that there is not.
    """
    return torch.tensor([class_index(head, word) for word in label_words(labels, count)], device=device)


def _of_batch(
    placed: Victim,
    attack: Attack,
    pixels: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    draws: Draws,
    start: int,
    size: int,
) -> Adversarial:
    """What comes of some of the pictures; ``start`` is the place of the first among all, ``size`` the most at once."""
    with torch.no_grad():
        before = placed.logits(pixels)
    if targets is None:
        rows, targets = aimed(attack.target, before, labels, placed.head, draws)
    else:
        rows = torch.arange(len(labels), device=labels.device)
    labels, before = labels[rows], before[rows]
    origin = pixels[rows]
    problem = ClassProblem(placed.logits, origin, draws.take(rows), labels, targets)
    # The first batch speaks for all.
    doubts = () if start else tuple(checks.of_outputs(placed.logits, pixels[: checks.FEW]))
    if not len(rows):
        return replace(Adversarial.of_batch(rows, problem, origin, (before, before, before)), doubts=doubts)
    changed, is_right = origin.clone(), before.argmax(1) == labels
    tried = is_right.nonzero()[:, 0]
    # With many targets one picture is many rows.
    for some in torch.split(tried, size):
        changed[some] = attack(problem.take(some))
    after = _said(placed, changed, size)
    kept = _said(placed, rounded_within(changed, origin, attack.norm, attack.eps), size)
    return replace(Adversarial.of_batch(rows + start, problem, changed, (before, after, kept)), doubts=doubts)


def _said(placed: Victim, pixels: Tensor, size: int) -> Tensor:
    with torch.no_grad():
        return torch.cat([placed.logits(some) for some in torch.split(pixels, size)])
