"""One training step of a recipe by itself, for whoever times something beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.training import optimizers, python_objects
from cnnlab.training.api import build_classifier, choose_execution, read_setting, store_at
from cnnlab.training.batches import Batch
from cnnlab.training.execution import Execution
from cnnlab.training.recipe import Recipe
from cnnlab.training.step import Moment, Stepper


@dataclass(frozen=True)
class LoneStep:
    """The step of a recipe's first phase, without its augmentation, always with the targets of the same pictures.

    :param shape: channels, height and width of the recipe's pictures.
    """

    shape: tuple[int, int, int]
    batch: int
    execution: Execution
    stepper: Stepper
    targets: Mapping[str, Tensor]

    def __call__(self, images: Tensor) -> object:
        """Forward, backward and update, on pictures N×C×H×W."""
        targets = {name: rows[: len(images)] for name, rows in self.targets.items()}
        return self.stepper.take(Batch(torch.arange(len(images)), images, targets), Moment(0, 0, 0))


def lone_step(
    recipe: "Recipe | Mapping[str, Any] | str | Path | None" = None,
    /,
    *,
    data_dir: str | Path | None = None,
    offline: bool = False,
    **keys: Any,
) -> LoneStep:
    """Sets up what a recipe says, as far as one step needs it; no run is kept.

    :raises UsageError: for a recipe that cannot be meant.
    """
    recipe, plain, given = python_objects.take_in(recipe, {**keys, "augment": "none"})
    setting = read_setting(Recipe.read(recipe, **plain), given, store_at(None), data_dir, offline)
    classifier = build_classifier(setting)
    execution, _ = choose_execution(setting, classifier)
    phase, device = setting.recipe.normal()[0], execution.torch_device
    network = classifier.to(device, memory_format=execution.memory_format).train()  # type: ignore[call-overload]
    optimizer = optimizers.build(optimizers.optimizers.bind(phase.optimizer), network, phase.weight_decay)
    stepper = Stepper(phase, setting.objective, network, network, optimizer, execution, None)
    batch = min(phase.batch_size, len(setting.dataset.train))
    _, targets = setting.dataset.train.batch(torch.arange(batch))
    placed = {name: rows.to(device) for name, rows in targets.items()}
    return LoneStep(setting.dataset.shape, batch, execution, stepper, placed)
