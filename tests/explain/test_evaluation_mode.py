"""Whenever a model is asked something while it is explained, it is in evaluation mode, however it was handed over."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnnlab import explain
from cnnlab.core.registry import RegistryEntry
from cnnlab.evaluation import predictor_of
from cnnlab.explain import ATTRIBUTIONS
from cnnlab.explain.attribution import Method
from cnnlab.explain.batches import Batch
from cnnlab.explain.chosen_pictures import said_of
from cnnlab.models import Classifier
from tests.explain.networks import layered, pictures, wrapped

ATTRIBUTIONS.complete()
FEW = {"gradient-shap": "(n=2)", "integrated-gradients": "(steps=3)", "rise": "(masks=6)", "smoothgrad": "(n=2)"}
METHODS = [f"{entry.name}{FEW.get(entry.name, '')}" for entry in ATTRIBUTIONS]


class Brightness(Method):
    """How bright a pixel is: a method that asks nothing of the model, not even the score."""

    name: ClassVar[str] = "brightness"
    needs_gradient: ClassVar[bool] = False

    def explain(self, batch: Batch) -> Tensor:
        """N×C×H×W."""
        return batch.pixels


@contextmanager
def watched(model: Classifier) -> Iterator[list[bool]]:
    """Whether any part of a model, or of a copy of it, was in training mode, at each pass of its first layer."""
    modes: list[bool] = []

    def note(module: nn.Module, inputs: Any) -> None:
        modes.append(module.training)

    handles = [part.register_forward_pre_hook(note) for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    yield modes
    for handle in handles:
        handle.remove()


USES: dict[str, Callable[[Classifier, Tensor], Any]] = {
    **{method: (lambda model, images, method=method: explain.attribute(model, images, method)) for method in METHODS},
    "brightness": lambda model, images: explain.attribute(model, images, "brightness"),
    "channels": lambda model, images: explain.guided_channels(model, images, "relu3", 2),
    "activations": lambda model, images: explain.activations(model, images, "relu3"),
    "filter responses": lambda model, images: explain.filter_responses(model, images, "conv3"),
    "maximize": lambda model, images: explain.maximize(model, steps=2),
    "embedding": lambda model, images: explain.embed(model, images, method="pca"),
    "embedding of a layer": lambda model, images: explain.embed(model, images, method="pca", layer="relu3"),
    "randomisation": lambda model, images: explain.randomisation_test(model, images, "saliency", draws=1, steps=1),
    "removal": lambda model, images: explain.removal_curves(model, images, "saliency", steps=2, draws=1),
    "said": lambda model, images: list(said_of(predictor_of(model), images)),
}


@pytest.mark.parametrize("use", USES)
def test_a_model_handed_over_in_training_mode_is_asked_in_evaluation_mode(use: str) -> None:
    model = wrapped(layered()).train()
    ATTRIBUTIONS.add(RegistryEntry("brightness", Brightness, {}))
    try:
        with watched(model) as modes:
            USES[use](model, pictures())
    finally:
        ATTRIBUTIONS.remove("brightness")
    assert modes and not any(modes)
    assert all(module.training for module in model.modules())


def test_the_score_of_a_method_that_does_not_ask_for_it_is_that_of_evaluation() -> None:
    model = wrapped(layered())
    with torch.no_grad():
        expected = model(pictures()).amax(1).numpy()
    ATTRIBUTIONS.add(RegistryEntry("brightness", Brightness, {}))
    try:
        found = explain.attribute(model.train(), pictures(), "brightness")
    finally:
        ATTRIBUTIONS.remove("brightness")
    np.testing.assert_allclose(found.scores, expected, rtol=1e-4)
