"""One training step of a recipe by itself, for whoever times something beside it."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.data import Dataset
from cnnlab.runs import store_at
from cnnlab.training.batches import Batch
from cnnlab.training.execution import Execution, choose_execution
from cnnlab.training.phase_training import PhaseTraining
from cnnlab.training.phases import PhaseSpan
from cnnlab.training.precision import PrecisionChoice
from cnnlab.training.prepare import build_classifier, read_setup
from cnnlab.training.recipe import Recipe
from cnnlab.training.recipe_specs import parse_spec
from cnnlab.training.step import StepKey


@dataclass(frozen=True)
class SingleStep:
    """The step of a recipe's first phase, without its augmentation, always with the targets of the same pictures.

    :param shape: channels, height and width of the recipe's pictures.
    :param choice: of the number format in which the step is computed.
    """

    shape: tuple[int, int, int]
    batch: int
    execution: Execution
    choice: PrecisionChoice
    phase: PhaseTraining
    targets: Mapping[str, Tensor]

    def __call__(self, images: Tensor) -> object:
        """Forward, backward and update, on pictures N×C×H×W."""
        targets = {name: rows[: len(images)] for name, rows in self.targets.items()}
        return self.phase.stepper.take(Batch(torch.arange(len(images)), images, targets), StepKey(0, 0, 0))


def single_step(
    recipe: "Recipe | Mapping[str, Any] | str | Path | None" = None,
    /,
    *,
    data_dir: str | Path | None = None,
    offline: bool = False,
    datasets: MutableMapping[str, Dataset] | None = None,
    **keys: Any,
) -> SingleStep:
    """Sets up what a recipe says, as far as one step needs it; no run is kept.

    :param datasets: as for :func:`cnnlab.train`.
    :raises UsageError: for a recipe that cannot be meant.
    """
    setup = read_setup(recipe, keys, store_at(), data_dir=data_dir, offline=offline, datasets=datasets)
    classifier = build_classifier(setup)
    execution, choice = choose_execution(setup, classifier)
    device = execution.torch_device
    network = classifier.to(device, memory_format=execution.memory_format)  # type: ignore[call-overload]
    span = _unaugmented(setup.plan.spans[0])
    batch = min(span.phase.batch_size, len(setup.dataset.train))
    _, targets = setup.dataset.train.batch(torch.arange(batch))
    placed = {name: rows.to(device) for name, rows in targets.items()}
    phase = PhaseTraining(setup, span, network, execution, execution.network(network))
    phase.trained.train()
    return SingleStep(setup.dataset.shape, batch, execution, choice, phase, placed)


def _unaugmented(span: PhaseSpan) -> PhaseSpan:
    """With nothing drawn, and so with no draws that frozen parts could be computed of."""
    return replace(span, phase=span.phase.model_copy(update={"augment": parse_spec("augment", "none"), "views": None}))
