"""Everything of cnnlab that looks into a classifier leaves it as it was found."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from cnnlab import models
from cnnlab.data import Dataset, TensorImages
from cnnlab.evaluation import evaluate, predict
from cnnlab.evaluation.prediction.predictor import predictor_of
from cnnlab.models import Classifier
from cnnlab.models.shape_probe import shape_after
from cnnlab.objectives import restore_objective
from cnnlab.testing import Check, tool_checks


def scores_of(classifier: Classifier, pixels: Tensor, **options: Any) -> dict[str, float]:
    """Scored as a data set in which all images are of the first class."""
    labels = {"label": torch.zeros(len(pixels), dtype=torch.int64)}
    images = TensorImages((pixels * 255).byte(), labels, classifier.classes)
    return evaluate(classifier, Dataset("images", train=images, test=images), **options).scores


def predicted(classifier: Classifier, pixels: Tensor) -> Sequence[Any]:
    """What is predicted for files of the images."""
    with TemporaryDirectory() as folder:
        for place, image in enumerate((pixels * 255).byte().permute(0, 2, 3, 1).squeeze(3).numpy()):
            Image.fromarray(image).save(Path(folder) / f"{place}.png")
        return predict(classifier, folder).columns["label"].to_dicts()


def attacked(classifier: Classifier, pixels: Tensor) -> Tensor:
    """The images a step up the gradient of the loss."""
    objective = restore_objective(classifier.objective, classifier.classes)
    encoded = objective.encode({"label": torch.zeros(len(pixels), dtype=torch.int64)})

    def ascent(model: Any, pixels: Tensor, encoded: Any, objective: Any, draws: Any) -> Tensor:
        leaf = pixels.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(objective.loss(model(leaf), encoded).sum(), leaf)
        return pixels + 0.1 * gradient.sign() * draws.uniform(1, 1, 1)

    return models.perturbed(pixels, encoded, [ascent], classifier, objective, seed=0, index=(0,))


TOOLS = {
    "outputs_of": lambda classifier, pixels: models.outputs_of(classifier, [pixels, pixels]),
    "features_of": lambda classifier, pixels: models.features_of(classifier, "conv2", pixels),
    "perturbed": attacked,
    "summary": lambda classifier, pixels: models.summary(classifier, tuple(pixels.shape[1:])),
    "multiply_adds": lambda classifier, pixels: models.multiply_adds(classifier, tuple(pixels.shape[1:])),
    "shape_after": lambda classifier, pixels: shape_after(classifier, tuple(pixels.shape[1:])),
    "predictor": lambda classifier, pixels: predictor_of(classifier).outputs([pixels]),
    "predict": predicted,
    "evaluate": scores_of,
    "evaluate perturbed": lambda classifier, pixels: scores_of(classifier, pixels, perturb="gaussian_noise(0.1)"),
}
# It tells by None that images do not pass, and tries a network once more where that may be for another reason.
ANSWERS_FAILURES = {"shape_after"}
CHECKS = [
    (name, check)
    for name, tool in TOOLS.items()
    for check in tool_checks(tool)
    if not (name in ANSWERS_FAILURES and check.__name__ == "errors_are_passed_on")
]


@pytest.mark.parametrize(
    "check", [check for _, check in CHECKS], ids=[f"{name}-{check.__name__}" for name, check in CHECKS]
)
def test_tool_keeps_what_tools_promise(check: Check) -> None:
    check()
