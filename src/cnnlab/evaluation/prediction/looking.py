"""A model as tools look into it: on its device, in evaluation mode, left as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cnnlab.core.messages import announcing
from cnnlab.evaluation.prediction.predictor import Predictor
from cnnlab.models import Predictable, evaluating, native_kernels, why_no_native_kernels


@contextmanager
def looking(predictor: Predictor) -> Iterator[Predictable]:
    """A block in which a model is on its device, in evaluation mode, and no weight asks for a gradient.

    It computes in float32 whatever surrounds it, on a processor by our own kernels where these can be had; the rest is
    as :func:`cnnlab.models.evaluating` has it.
    """
    is_native = predictor.device == "cpu" and _are_kernels_here()
    with predictor.placed() as model, native_kernels(is_native), evaluating(model), torch.enable_grad():
        model.requires_grad_(False)
        with torch.autocast(torch.device(predictor.device).type, enabled=False):
            yield model


def _are_kernels_here() -> bool:
    with announcing("compiling kernels for this processor"):
        return why_no_native_kernels() is None
