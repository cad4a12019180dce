"""Training starts from the loss of a constant guess: a new head is made as small as that takes, and no smaller.

Drawn by Glorot's rule, heads have outputs deviate by up to 5, which is guessing wildly: the loss starts at two or three
times that of chance. Nor may they start at next to nothing, for the layers below learn through them: short trainings by
Adam come less far then.
"""

import copy
import itertools

import torch
from torch import Tensor

from cnnlab.core.seeds import scope
from cnnlab.data import ImageSet
from cnnlab.models import Classifier, starts_small, to_float
from cnnlab.objectives import Objective, Targets

_FEWEST, _MOST = 16, 64
_CLOSE = 0.05
"""Of the loss of a constant guess: how far the mean loss of pictures may be from it, in 19 of 20 draws of so many."""
_DRAWN = 64
_TARGETS = 1024
_FACTORS = [share * 0.5**halvings for halvings in range(20, 0, -1) for share in (1, 1.25, 1.5, 1.75)] + [1.0]


def start_near_a_constant_guess(
    classifier: Classifier, objective: Objective, images: ImageSet, *, batch_size: int, seed: int
) -> None:
    """Scales the new heads of a classifier down, where their outputs are too far apart to begin with.

    What is tried is some training pictures as they are, in training mode; nothing else of the classifier changes. The
    factor is one of few, so that it does not hang on the last digits of a sum.
    """
    heads = [part for part in classifier.modules() if starts_small(part)]
    # A large network, which takes long, has small batches.
    count = min(max(batch_size, _FEWEST), _MOST, len(images))
    places = torch.linspace(0, len(images) - 1, count).long()
    if not heads or len(places) < 2:
        return
    some = torch.linspace(0, len(images) - 1, min(_TARGETS, len(images))).long()
    targets = {name: column[some] for name, column in images.targets.items()}
    outputs = _outputs(classifier, to_float(images.batch(places)[0]), seed)
    factor = head_factor(outputs, objective, targets)
    with torch.no_grad():
        for part in heads:
            part.weight.mul_(factor)  # type: ignore[operator,union-attr]


def _outputs(classifier: Classifier, pixels: Tensor, seed: int) -> Tensor:
    """What it puts out in training mode, its running statistics left alone."""
    before = {name: buffer.clone() for name, buffer in classifier.named_buffers()}
    mode = classifier.training
    with torch.no_grad(), scope(seed, "starting loss"):
        outputs: Tensor = classifier.train()(pixels)
        for name, buffer in classifier.named_buffers():
            buffer.copy_(before[name])
    classifier.train(mode)
    return outputs


def head_factor(outputs: Tensor, objective: Objective, targets: Targets) -> float:
    """The largest factor at which, and below which, the mean loss of a batch is close to that of a constant guess.

    Outputs are paired with targets of whatever samples, many to one: how often each class occurs decides what a guess
    costs, and so few pictures do not tell. A loss of one's own is not asked: it may be a mean, or want whole batches.
    Outputs are multiplied in the place of weights, which is the same without a bias.

    :param outputs: of the head as it was drawn, N×K.
    :param targets: M, of at least as many samples.
    """
    objective, encoded = copy.copy(objective), objective.encode(targets)
    objective.own_loss = None
    places = torch.arange(len(next(iter(targets.values()))))
    # Each time around by one more, lest outputs meet the same class always where classes take turns.
    paired = outputs[(places + places // len(outputs)) % len(outputs)]
    guessed = objective.loss(0 * paired, encoded)

    def is_close(factor: float) -> bool:
        apart = objective.loss(factor * paired, encoded) - guessed
        furthest = apart.mean().abs() + 2 * apart.std() / _DRAWN**0.5
        return bool(furthest <= _CLOSE * guessed.mean())

    return max(itertools.takewhile(is_close, _FACTORS), default=_FACTORS[0])
