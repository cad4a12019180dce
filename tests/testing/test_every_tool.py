"""Everything of cnnlab that looks into a classifier leaves it as it was found."""

import pytest
import torch
from torch import Tensor

from cnnlab import models
from cnnlab.data import Dataset, TensorImages
from cnnlab.evaluation import evaluate
from cnnlab.evaluation.prediction.predictor import predictor_of
from cnnlab.models import Classifier
from cnnlab.testing import Check, tool_checks


def scores_of(classifier: Classifier, pixels: Tensor) -> dict[str, float]:
    """Scored as a data set in which all images are of the first class."""
    labels = {"label": torch.zeros(len(pixels), dtype=torch.int64)}
    images = TensorImages((pixels * 255).byte(), labels, classifier.classes)
    return evaluate(classifier, Dataset("images", train=images, test=images)).scores


TOOLS = {
    "outputs_of": lambda classifier, pixels: models.outputs_of(classifier, [pixels, pixels]),
    "summary": lambda classifier, pixels: models.summary(classifier, tuple(pixels.shape[1:])),
    "multiply_adds": lambda classifier, pixels: models.multiply_adds(classifier, tuple(pixels.shape[1:])),
    "predictor": lambda classifier, pixels: predictor_of(classifier).outputs([pixels]),
    "evaluate": scores_of,
}
CHECKS = [(name, check) for name, tool in TOOLS.items() for check in tool_checks(tool)]


@pytest.mark.parametrize(
    "check", [check for _, check in CHECKS], ids=[f"{name}-{check.__name__}" for name, check in CHECKS]
)
def test_tool_keeps_what_tools_promise(check: Check) -> None:
    check()
