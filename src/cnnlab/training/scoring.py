"""What a classifier puts out for a whole image set, and how good that is."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from cnnlab.data import ImageSet
from cnnlab.models import batch_for, outputs_of
from cnnlab.objectives import Objective
from cnnlab.runs import Predictions
from cnnlab.training.batches import BatchLoader
from cnnlab.training.execution import Execution
from cnnlab.training.frozen_features import FeatureLoader


def outputs_for(
    classifier: nn.Module, loader: BatchLoader | FeatureLoader, execution: Execution, between: Callable[[], None]
) -> Tensor:
    """The raw outputs, N×K float32 on the host, of every picture in order; ``between`` is called after each batch."""
    size = batch_for(loader.images.shape)
    batches = (batch.images for batch in loader.batches(torch.arange(len(loader.images)), size))
    return outputs_of(classifier, batches, device=execution.device, precision=execution.precision, between=between)


def predictions_of(outputs: Tensor, images: ImageSet, objective: Objective, *, split: str, data: str) -> Predictions:
    """The outputs with what they are to be compared with, ready to be stored."""
    return Predictions.of_tensors(
        objective.split(outputs),
        images.targets,
        ids=images.ids,
        objective=objective.spec,
        classes=images.classes,
        data=data,
        split=split,
        images=images.digest,
    )


def known_metrics(outputs: Tensor, targets: Mapping[str, Tensor], objective: Objective) -> dict[str, float]:
    """Every metric of the objective; nothing where there are no targets to compare with."""
    return objective.metrics(outputs, targets) if targets and len(outputs) else {}
