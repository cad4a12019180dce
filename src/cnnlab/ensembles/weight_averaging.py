"""The mean of the weights of several networks, and statistics of batch normalisation that fit it."""

import copy
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnlab.core.errors import UsageError
from cnnlab.core.messages import track
from cnnlab.data import ImageSet
from cnnlab.models import Classifier, evaluating

_BATCH = 256


def averaged_classifier(named: Sequence[tuple[str, Classifier]]) -> Classifier:
    """A classifier like the first, with the mean of all their weights.

    What is no floating-point number, such as a count of batches, is that of the first.

    :raises UsageError: naming what differs, where they are not networks of one kind with one normalisation of pixels.
    """
    label, first = named[0]
    states = [classifier.network.state_dict() for _, classifier in named]
    for name, other in named[1:]:
        if {k: v.shape for k, v in first.network.state_dict().items()} != {
            k: v.shape for k, v in other.network.state_dict().items()
        }:
            raise UsageError(
                f"the weights of {label} and {name} are of networks of other layers. Combine what they say instead, as "
                "method=mean does."
            )
        facts = ("mean", "std", "permute", "classes", "objective", "shape")
        unlike = [fact for fact in facts if getattr(first, fact) != getattr(other, fact)]
        if unlike:
            raise UsageError(
                f"{label} and {name} differ in {', '.join(unlike)}, so their weights do not mean the same. Combine "
                "what they say instead, as method=mean does."
            )
    mean = copy.deepcopy(first)
    averaged = {
        key: torch.stack([state[key].double() for state in states]).mean(0).to(value.dtype)
        if value.is_floating_point()
        else value
        for key, value in states[0].items()
    }
    mean.network.load_state_dict(averaged)
    return mean


def has_batch_norm(module: nn.Module) -> bool:
    """Whether it normalises by statistics that it keeps."""
    return any(isinstance(part, _BatchNorm) and part.track_running_stats for part in module.modules())


def renew_batch_norm(classifier: Classifier, images: ImageSet) -> None:
    """Takes the running statistics of batch normalisation anew: the mean over batches of all these pictures, unchanged.

    As ``torch.optim.swa_utils.update_bn`` does it, but with everything else in evaluation: dropout drops nothing.
    """
    parts = [part for part in classifier.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    momenta = [part.momentum for part in parts]
    starts = range(0, len(images), _BATCH)
    # A last batch of one picture has no spread to be normalised by.
    starts = starts if len(images) % _BATCH != 1 or len(images) == 1 else starts[:-1]
    with evaluating(classifier), torch.no_grad():
        for part in parts:
            part.reset_running_stats()
            part.momentum = None
            part.train()
        for start in track(starts, "statistics of batch normalisation", len(starts)):
            pixels, _ = images.batch(torch.arange(start, min(start + _BATCH, len(images))))
            classifier(pixels.contiguous(memory_format=torch.channels_last))
    for part, momentum in zip(parts, momenta, strict=True):
        part.momentum = momentum
