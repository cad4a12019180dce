"""Class activation maps: the feature maps of a layer, added up by how much each matters to the score."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.explain.attribution import ATTRIBUTIONS, Attribution, Method, Model, attribute
from cnnlab.explain.batches import Batch
from cnnlab.explain.layers import Listener, enlarged, require_maps


def maps_and_gradients(batch: Batch) -> list[tuple[Tensor, Tensor]]:
    """Of each layer the maps A and the gradient of the score by them, both N×K×h×w.

    Autograd follows what comes after the layer, and nothing before it.
    """
    leaves: list[Tensor] = []

    def detached(output: Tensor) -> Tensor:
        leaves.append(output.detach().requires_grad_())
        # A copy, for what follows may work in place.
        return leaves[-1].clone()

    with Listener(batch.places, detached) as listener:
        score = batch.settle(batch.model(batch.pixels))
        listener.outputs  # noqa: B018 (refuses a layer that was not passed)
    maps = [require_maps(leaf, place) for leaf, place in zip(leaves, batch.places, strict=True)]
    found: list[tuple[Tensor, Tensor]] = []
    gradients = torch.autograd.grad(score.sum(), maps, allow_unused=True) if score.requires_grad else [None] * len(maps)
    for place, leaf, gradient in zip(batch.places, maps, gradients, strict=True):
        if gradient is None:
            raise UsageError(f"the score depends on the layer {place.name} in no way that can be differentiated.")
        found.append((leaf.detach(), gradient))
    return found


class GradientCAM(Method):
    """A class activation map by gradients: subclasses say how maps and gradients become one."""

    has_layer = True
    scale = "positive"

    def explain(self, batch: Batch) -> Tensor:
        """N×H×W, the mean over the layers."""
        found = zip(batch.places, maps_and_gradients(batch), strict=True)
        maps = [enlarged(self.join(*pair)[:, None], place) for place, pair in found]
        return torch.stack(maps).mean(0)[:, 0]

    @abstractmethod
    def join(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """N×K×h×w both, to N×h×w, before what is below 0 is cut off."""


@ATTRIBUTIONS.register("grad-cam")
class GradCAM(GradientCAM):
    """Feature maps weighted by the mean of their gradients (Selvaraju et al. 2017, equations 1 and 2)."""

    name = "grad-cam"

    def join(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """Equation 2 before its ReLU."""
        return torch.einsum("nkhw,nk->nhw", maps, gradients.mean((2, 3)))


def grad_cam(model: Model, images: Any, target: Any = None, layer: str | None = None, **options: Any) -> Attribution:
    """Grad-CAM (Selvaraju et al. 2017, equations 1 and 2), N×H×W.

    Arguments as of :func:`~cnnlab.explain.attribute`. Values are those before the equation's ReLU, enlarged bilinearly;
    what is shown is cut off at 0.
    """
    return attribute(model, images, GradCAM.name, target, layer, **options)
