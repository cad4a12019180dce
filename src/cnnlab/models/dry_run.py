"""What a model would be for pictures of some shape, before any of its weights are drawn."""

import torch

from cnnlab.models.classifier_files import refuse_foreign
from cnnlab.models.networks import ModelSpec, parse_model
from cnnlab.models.pretrained_weights import file_of, is_path
from cnnlab.models.shapes import Shape
from cnnlab.models.summaries import NetworkSummary, summary


def summary_without_weights(spec: object, shape: Shape, outputs: int) -> NetworkSummary:
    """The summary of the network that a spec describes; no weight is allocated, drawn or read from a file.

    :param shape: channels, height and width of the pictures.
    :raises SpecError: naming the layer that cannot be, and the shape that reaches it.
    :raises ModelFileError: for a file in ``weights=`` that is not there, or no file of weights.
    """
    with torch.device("meta"):
        return summary(_unweighted(spec).build(shape, outputs), shape)


def _unweighted(spec: object) -> ModelSpec:
    """The same architecture without stored weights, which change no shape; a file of them has to be there."""
    model = parse_model(spec)
    if model.weights is not None and is_path(model.weights):
        refuse_foreign(file_of(model.weights))
    return model.without_weights()
