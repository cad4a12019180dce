"""What stands for a picture that shows nothing: the start of a way to it, and what is under what is covered."""

from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cnnlab.core.arguments import Fraction
from cnnlab.core.errors import UsageError
from cnnlab.explain.batches import Batch
from cnnlab.models import Classifier, given_pixels

SaidBaseline: TypeAlias = Fraction | Literal["mean"]
"""As a spec says it: a number for every pixel, or the mean colour of the training."""
Baseline: TypeAlias = "float | Literal['mean'] | Tensor | np.ndarray[Any, Any]"
GIVEN = "given"
"""What a spec says of pictures that were given in Python."""


def given_baseline(baseline: Any) -> Any:
    """The baseline where it is made of pictures; None where a spec can say it."""
    return baseline if isinstance(baseline, Tensor | np.ndarray) and np.ndim(baseline) else None


def baseline_pixels(batch: Batch, baseline: Baseline, *, for_each: bool = True) -> Tensor:
    """A baseline as pixels, on the device and in the format of the batch.

    :param for_each: whether one is wanted for each picture, N×C×H×W; else all that there are, M×C×H×W.
    :raises UsageError: for pictures of another shape, or as many as there are none to go with.
    """
    own = batch.pixels
    if isinstance(baseline, Tensor | np.ndarray):
        pictures = given_pixels(baseline, tuple(own.shape[1:]))
        found = (pictures.float() / 255 if pictures.dtype == torch.uint8 else pictures).to(own)
        if not for_each:
            return found
        if len(found) not in (1, batch.count):
            raise UsageError(f"baseline is one picture, or one for each of {batch.count}; got {len(found)} of them.")
        part = found if len(found) == 1 else found[batch.start : batch.start + len(batch)]
        return part.expand_as(own)
    return _colour(batch, baseline).expand_as(own if for_each else own[:1])


def _colour(batch: Batch, baseline: float | str) -> Tensor:
    """One colour, 1×C×1×1."""
    channels = batch.pixels.shape[1]
    if baseline != "mean":
        return batch.pixels.new_full((1, channels, 1, 1), float(baseline))
    first = next((each for each in batch.model.modules() if isinstance(each, Classifier)), None)
    if first is None:
        raise UsageError("the model tells no mean colour of its training: give baseline as a number from 0 to 1.")
    return batch.pixels.new_tensor(first.mean).view(1, channels, 1, 1)
