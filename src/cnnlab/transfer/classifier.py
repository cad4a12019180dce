"""A pipeline of scikit-learn on the features of a backbone, as one model: pixels to the outputs of an objective."""

import torch
from sklearn.pipeline import Pipeline
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.models import Predictable, require_gradient
from cnnlab.models.shapes import format_shape
from cnnlab.transfer.extractor import Extractor
from cnnlab.transfer.fitting import as_outputs, raw_outputs


class TransferClassifier(Predictable):
    """Takes features of pictures and asks a fitted pipeline about them; there is no gradient by the pixels.

    Outputs are log-probabilities, or decision values divided by a temperature where the pipeline tells no
    probabilities.

    :param extractor: the network up to a layer; its classifier says what pictures are taken and what classes there are.
    :param temperature: fitted on validation.
    """

    has_gradient = False

    def __init__(self, extractor: Extractor, pipeline: Pipeline, temperature: float = 1.0) -> None:
        super().__init__()
        own = extractor.classifier
        self.backbone, self.pipeline, self.temperature = own, pipeline, temperature
        self._extractor = extractor
        self.shape, self.resize, self.resampling = own.shape, own.resize, own.resampling
        self.white, self.float_white = own.whites
        self.classes, self.objective = dict(own.classes), own.objective
        self._outputs = own.outputs or 0

    def forward(self, pixels: Tensor) -> Tensor:
        """N×C×H×W, float in [0, 1] or uint8, to N×K float32.

        :raises UsageError: where a gradient by the pixels is asked for, and there is none.
        """
        if pixels.requires_grad and torch.is_grad_enabled():
            require_gradient(self, "a gradient by the pixels is asked for")
        if pixels.dim() != 4 or tuple(pixels.shape[1:]) != self.shape:
            wanted, given = format_shape(self.shape), format_shape(tuple(pixels.shape))
            raise UsageError(f"the classifier takes pictures as N×{wanted} and was given {given}.")
        if not len(pixels):
            return torch.empty(0, self._outputs, device=pixels.device)
        features = self._extractor(pixels).numpy()
        return as_outputs(raw_outputs(self.pipeline, features, self._outputs), self.temperature).to(pixels.device)
