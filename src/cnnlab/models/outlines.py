"""What a model would be for pictures of some shape, before any of its weights are drawn."""

import torch

from cnnlab.core.spec import Call, read
from cnnlab.models.networks import architectures, build, canonical
from cnnlab.models.shapes import Shape
from cnnlab.models.summaries import Summary, summary


def outline(spec: object, shape: Shape, outputs: int) -> Summary:
    """The summary of the network that a spec describes; no weight is allocated, drawn or read from a file.

    :param shape: channels, height and width of the pictures.
    :raises SpecError: naming the layer that cannot be, and the shape that reaches it.
    """
    with torch.device("meta"):
        return summary(build(_unweighted(spec), shape, outputs), shape)


def _unweighted(spec: object) -> object:
    """The same architecture without stored weights: those change no shape."""
    canonical(spec)
    calls = read(spec)
    if len(calls) != 1 or calls[0].name not in architectures:
        return spec
    bound = architectures.bind(calls[0])
    if "weights" not in bound.arguments:
        return spec
    return Call(bound.name, (), {**bound.arguments, "weights": None})
