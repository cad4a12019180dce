"""What is put to the test: an attribution by its spec, or one of two controls that know nothing of the network."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnlab.core import seeds
from cnnlab.core.registry import BoundCall, Registry
from cnnlab.core.spec import read_one
from cnnlab.explain.attribution import ATTRIBUTIONS, Attribution, Method, Model, carried_out
from cnnlab.explain.batches import Batch
from cnnlab.explain.targets import Score
from cnnlab.models import Predictable, heads_of

CONTROLS: Registry[Method] = Registry("control")
"""What looks like an attribution and asks nothing of the network."""


@CONTROLS.register("edges")
class Edges(Method):
    """The size of the gradient of brightness, by Sobel's operator: an edge detector (Adebayo et al. 2018, section 1).

    Brightness is the mean over channels; beyond its border a picture goes on as it ends.
    """

    name = "edges"
    needs_gradient = False
    scale = "positive"

    def explain(self, batch: Batch) -> Tensor:
        """N×H×W."""
        batch.chosen  # noqa: B018 (settled while the model is in evaluation mode)
        grey = F.pad(batch.pixels.float().mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        across = grey.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
        kernels = torch.stack([across, across.T])[:, None]
        slopes: Tensor = torch.linalg.vector_norm(F.conv2d(grey, kernels), dim=1)
        return slopes


@CONTROLS.register("random")
class Random(Method):
    """A number between 0 and 1 for each pixel, drawn at random.

    :param seed: of what is drawn, which is a function of this and of a picture's place.
    """

    name = "random"
    needs_gradient = False
    scale = "positive"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def explain(self, batch: Batch) -> Tensor:
        """N×H×W."""
        batch.chosen  # noqa: B018 (settled while the model is in evaluation mode)
        size = batch.pixels.shape[2:]
        places = range(batch.start, batch.start + len(batch))
        return torch.stack([torch.rand(size, generator=seeds.generator(self.seed, self.name, at)) for at in places])


def bound_method(method: object) -> BoundCall[Method]:
    """An attribution, or a control, of complete arguments.

    :raises SpecError: listing what there is.
    """
    if isinstance(method, BoundCall):
        return method
    call = read_one(method, "Attribution")
    return (CONTROLS if call.name in CONTROLS else ATTRIBUTIONS).bind(call)


def short_name(method: object) -> str:
    """How sentences and figures call it: its spec, without what stands at its default."""
    return method.method if isinstance(method, Attribution) else str(bound_method(method).short)


def attributed(
    model: Model,
    images: Any,
    method: object,
    target: Any,
    layer: str | None,
    *,
    score: Score = "output",
    device: str | None = None,
) -> Attribution:
    """As :func:`cnnlab.explain.attribute`, for controls too."""
    bound = bound_method(method)
    return carried_out(bound.build(), str(bound), model, images, target, layer, score=score, device=device)


def settled_targets(found: Attribution, model: Predictable) -> list[Any]:
    """What was explained of each picture, so that the same is explained of another model, whatever that predicts."""
    _, heads = heads_of(model)
    if len(heads) > 1:
        return list(found.target_names)
    return [int(index) if heads[0].names else None for index in found.targets]
