"""What a model would be for pictures of some shape, before any of its weights are drawn."""

import torch

from cnnlab.core.spec import Call, read
from cnnlab.models.classifier_files import refuse_foreign
from cnnlab.models.networks import architectures, build_network, canonical_model
from cnnlab.models.shapes import Shape
from cnnlab.models.summaries import NetworkSummary, summary
from cnnlab.models.weight_files import file_of, is_path


def summary_without_weights(spec: object, shape: Shape, outputs: int) -> NetworkSummary:
    """The summary of the network that a spec describes; no weight is allocated, drawn or read from a file.

    :param shape: channels, height and width of the pictures.
    :raises SpecError: naming the layer that cannot be, and the shape that reaches it.
    :raises ModelFileError: for a file in ``weights=`` that is not there, or no file of weights.
    """
    with torch.device("meta"):
        return summary(build_network(_unweighted(spec), shape, outputs), shape)


def _unweighted(spec: object) -> object:
    """The same architecture without stored weights, which change no shape; a file of them has to be there."""
    canonical_model(spec)
    calls = read(spec)
    if len(calls) != 1 or calls[0].name not in architectures:
        return spec
    bound = architectures.bind(calls[0])
    if "weights" not in bound.arguments:
        return spec
    if is_path(bound.arguments["weights"]):
        refuse_foreign(file_of(bound.arguments["weights"]))
    return Call(bound.name, (), {**bound.arguments, "weights": None})
