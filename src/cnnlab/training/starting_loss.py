"""Training starts from the loss of a constant guess: a new head is made as small as that takes, and no smaller.

Drawn by Glorot's rule, heads have outputs deviate by up to 5, which is guessing wildly: the loss starts at two or three
times that of chance. Nor may they start at next to nothing, for the layers below learn through them: short trainings by
Adam come less far then.
"""

import copy

import torch
from torch import Tensor

from cnnlab.core.seeds import scope
from cnnlab.data import ImageSet
from cnnlab.models import Classifier, starts_small, to_float
from cnnlab.objectives import Objective, Targets

_FEWEST, _MOST = 16, 64
_CLOSE = 0.04
"""Of the loss of a constant guess: how far the losses of samples may be from it on average."""
_MOST_HALVINGS = 20


def start_near_a_constant_guess(
    classifier: Classifier, objective: Objective, images: ImageSet, *, batch_size: int, seed: int
) -> None:
    """Scales the new heads of a classifier down, where their outputs are too far apart to begin with.

    What is tried is some training pictures as they are, in training mode; nothing else of the classifier changes. The
    factor is a power of a half, so that it does not hang on the last digits of a sum.
    """
    heads = [part for part in classifier.modules() if starts_small(part)]
    # A large network, which takes long, has small batches.
    count = min(max(batch_size, _FEWEST), _MOST, len(images))
    places = torch.linspace(0, len(images) - 1, count).long()
    if not heads or len(places) < 2:
        return
    targets = {name: column[places] for name, column in images.targets.items()}
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
    """The largest power of a half at which, and below which, losses are close to those of a constant guess.

    Close is what the losses of single samples are on average, so that it holds whatever outputs and targets have to do
    with each other. A loss of one's own is not asked: it may be a mean, or want whole batches. Outputs are multiplied
    in the place of weights, which is the same without a bias.

    :param outputs: of the head as it was drawn, N×K.
    """
    objective, encoded = copy.copy(objective), objective.encode(targets)
    objective.own_loss = None
    guessed = objective.loss(torch.zeros_like(outputs), encoded)
    factor = 0.5**_MOST_HALVINGS
    while factor < 1:
        apart = (objective.loss(2 * factor * outputs, encoded) - guessed).abs().mean()
        if not apart <= _CLOSE * guessed.mean().abs():
            break
        factor *= 2
    return factor
