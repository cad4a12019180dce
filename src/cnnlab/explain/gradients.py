"""Attributions by the gradient of the score by the pixels."""

from typing import Any

import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.explain.attribution import ATTRIBUTIONS, Attribution, Method, Model, attribute
from cnnlab.explain.batches import Batch


def pixel_gradient(batch: Batch, pixels: Tensor | None = None, rows: Tensor | None = None) -> Tensor:
    """The gradient of the score by the pixels, M×C×H×W.

    :param pixels: changed pictures, M×C×H×W, ``rows`` which of the batch each is made of; those of the batch unless
        given.
    """
    leaf = (batch.pixels if pixels is None else pixels).detach().requires_grad_()
    score = batch.settle(batch.model(leaf)) if pixels is None else batch.score(leaf, rows)
    if not score.requires_grad:
        raise UsageError("the score depends on the pixels in no way that can be differentiated.")
    (gradient,) = torch.autograd.grad(score.sum(), leaf)
    return gradient


@ATTRIBUTIONS.register("saliency")
class Saliency(Method):
    """The gradient of the score by the pixels (Simonyan et al. 2014, section 3.1)."""

    name = "saliency"
    scale = "magnitude"

    def explain(self, batch: Batch) -> Tensor:
        """N×C×H×W."""
        return pixel_gradient(batch)


def saliency(model: Model, images: Any, target: Any = None, **options: Any) -> Attribution:
    """The gradient of the score by the pixels, N×C×H×W (Simonyan et al. 2014, section 3.1).

    Arguments as of :func:`~cnnlab.explain.attribute`. Values are signed; maps are the largest magnitude over channels.
    """
    return attribute(model, images, Saliency.name, target, **options)
