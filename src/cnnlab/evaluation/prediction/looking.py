"""A model as tools look into it: on its device, in evaluation mode, left as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cnnlab.core.messages import announcing
from cnnlab.evaluation.prediction.predictor import Predictor
from cnnlab.models import Predictable, evaluating, native_kernels, why_no_native_kernels


@contextmanager
def looking(predictor: Predictor, *, by_native_kernels: bool = True) -> Iterator[Predictable]:
    """A block in which a model is on its device, in evaluation mode, and no weight asks for a gradient.

    It computes in float32 whatever surrounds it; the rest is as :func:`cnnlab.models.evaluating` has it.

    :param by_native_kernels: on a processor, where they can be had.
    """
    is_native = by_native_kernels and predictor.device == "cpu" and _are_kernels_here()
    with (
        predictor.placed() as model,
        native_kernels(is_native),
        evaluating(model, is_frozen=True),
        torch.enable_grad(),
        torch.autocast(torch.device(predictor.device).type, enabled=False),
    ):
        yield model


def _are_kernels_here() -> bool:
    with announcing("compiling kernels for this processor"):
        return why_no_native_kernels() is None
