"""Operations as perturbations: pictures turned, blurred or noisy, on which a classifier is evaluated or trained."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cnnlab.augment.catalogue import augmentations
from cnnlab.augment.operation import Info, Operation
from cnnlab.augment.pipeline import Pipeline, PipelineStep
from cnnlab.core.hooks import perturbations
from cnnlab.core.registry import RegistryEntry
from cnnlab.core.seeds import SampleDraws
from cnnlab.core.spec import Call


class OperationPerturbation:
    """A :class:`~cnnlab.models.Perturbation` that does an operation, whatever the classifier and the targets are.

    :raises SpecError: when called, for pictures that the operation does not take.
    """

    needs_gradient = False

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def __call__(self, classifier: Any, pixels: Tensor, encoded: Any, objective: Any, draws: SampleDraws) -> Tensor:
        """The pixels, float32 N×C×H×W, as the operation leaves them."""
        channels, height, width = pixels.shape[1:]
        self.pipeline.check((channels, height, width), soft_targets=False)
        info = Info(draws.count, (channels, height, width), epoch=0, ids=torch.arange(draws.count))
        # In the precision of a training's augmentation, whatever the classifier computes in.
        with torch.no_grad(), torch.autocast(pixels.device.type, enabled=False):
            drawn = self.pipeline.draw(draws.generator, info)
            changed, _ = self.pipeline.apply(draws.among_all(pixels), {}, drawn)
        return changed[draws.part]


def register_operations() -> None:
    """Makes every operation known as a perturbation that is not yet, but for those that change targets too."""
    for entry in augmentations:
        if entry.name not in perturbations and not getattr(entry.make, "mixes", False):
            perturbations.add(RegistryEntry(entry.name, _maker(entry), entry.arguments, entry.others))


def _maker(entry: RegistryEntry[Operation]) -> Callable[..., OperationPerturbation]:
    def make(**arguments: Any) -> OperationPerturbation:
        return OperationPerturbation(Pipeline([PipelineStep.read(Call(entry.name, (), arguments))]))

    make.__doc__ = entry.make.__doc__
    return make
