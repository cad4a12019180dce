"""One training step of a recipe by itself, for whoever times something beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.training import optimizers, python_objects
from cnnlab.training.api import build_classifier, choose_execution, read_setup, store_at
from cnnlab.training.batches import Batch
from cnnlab.training.execution import Execution
from cnnlab.training.precision import PrecisionChoice
from cnnlab.training.recipe import Recipe
from cnnlab.training.step import StepKey, Stepper


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
    stepper: Stepper
    targets: Mapping[str, Tensor]

    def __call__(self, images: Tensor) -> object:
        """Forward, backward and update, on pictures N×C×H×W."""
        targets = {name: rows[: len(images)] for name, rows in self.targets.items()}
        return self.stepper.take(Batch(torch.arange(len(images)), images, targets), StepKey(0, 0, 0))


def single_step(
    recipe: "Recipe | Mapping[str, Any] | str | Path | None" = None,
    /,
    *,
    data_dir: str | Path | None = None,
    offline: bool = False,
    **keys: Any,
) -> SingleStep:
    """Sets up what a recipe says, as far as one step needs it; no run is kept.

    :raises UsageError: for a recipe that cannot be meant.
    """
    recipe, plain, given = python_objects.extract_objects(recipe, {**keys, "augment": "none"})
    setup = read_setup(Recipe.read(recipe, **plain), given, store_at(None), data_dir, offline)
    classifier = build_classifier(setup)
    execution, choice = choose_execution(setup, classifier)
    phase, device = setup.recipe.normal()[0], execution.torch_device
    network = classifier.to(device, memory_format=execution.memory_format).train()  # type: ignore[call-overload]
    optimizer = optimizers.build_optimizer(optimizers.optimizers.bind(phase.optimizer), network, phase.weight_decay)
    stepper = Stepper(phase, setup.objective, network, network, optimizer, execution, None)
    batch = min(phase.batch_size, len(setup.dataset.train))
    _, targets = setup.dataset.train.batch(torch.arange(batch))
    placed = {name: rows.to(device) for name, rows in targets.items()}
    return SingleStep(setup.dataset.shape, batch, execution, choice, stepper, placed)
