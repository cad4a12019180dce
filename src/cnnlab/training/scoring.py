"""What a classifier puts out for a whole image set, and how good that is."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cnnlab.data import ImageSet
from cnnlab.models import batch_for, outputs_of
from cnnlab.objectives import Objective
from cnnlab.runs import Predictions
from cnnlab.training.batches import BatchLoader
from cnnlab.training.execution import Execution
from cnnlab.training.frozen_features import FeatureLoader

if TYPE_CHECKING:
    from cnnlab.training.several_devices.group import DeviceGroup


def outputs_for(
    classifier: nn.Module,
    loader: BatchLoader | FeatureLoader,
    execution: Execution,
    between: Callable[[], None],
    group: "DeviceGroup | None" = None,
) -> Tensor:
    """The raw outputs, N×K float32 on the host, of every picture in order; ``between`` is called after each batch.

    :param group: of several devices, which take turns at batches, each as it would be of one device; all are given
        all outputs.
    """
    size = batch_for(loader.images.shape)
    places = torch.arange(len(loader.images))
    if group is None:
        batches = (batch.images for batch in loader.batches(places, size))
        return outputs_of(classifier, batches, device=execution.device, precision=execution.precision, between=between)
    chunks = torch.split(places, size)
    turns = chunks[group.rank :: group.size]
    own = torch.cat(turns) if turns else places[:0]
    batches = (batch.images for batch in (loader.batches(own, size) if turns else ()))
    found = outputs_of(classifier, batches, device=execution.device, precision=execution.precision, between=between)
    if len(turns) < -(-len(chunks) // group.size):
        # As often on every device, since they agree in it on whether to stop.
        between()
    return group.put_together(len(places), own, found)


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
