"""Networks with a fault that an attack is led astray by, and small pictures for them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cnnlab.models import Classifier, evaluating
from cnnlab.testing.model_tools import random_pixels, small_classifier

SHAPE = (1, 8, 8)


class Fault(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, values: Tensor) -> Tensor:
        return self.function(values)


def healthy(count: int = 30) -> tuple[Classifier, Tensor, Tensor]:
    """A network of random weights, pictures, and what it says of them."""
    return planted(count=count)


def planted(
    first: Callable[[Tensor], Tensor] | None = None, last: Callable[[Tensor], Tensor] | None = None, count: int = 30
) -> tuple[Classifier, Tensor, Tensor]:
    """The same with a function before all layers and one after them."""
    whole = small_classifier(SHAPE).eval()
    before, after = ([] if function is None else [Fault(function)] for function in (first, last))
    network = nn.Sequential(*before, *whole.network.children(), *after)
    classifier = Classifier(network, SHAPE, [0.4], [0.2], whole.classes, whole.objective, "module(planted)").eval()
    pixels = random_pixels(SHAPE, count)
    with torch.no_grad():
        return classifier, pixels, whole(pixels).argmax(1)


def in_steps(pixels: Tensor) -> Tensor:
    """Without a gradient anywhere, and hardly changed."""
    return (pixels * 32 + 0.3).round() / 32


def overconfident(logits: Tensor) -> Tensor:
    """So far apart that the loss of the right class is 0 in float32, and so is its gradient."""
    return logits * 1e5


def two_classes(count: int = 30) -> tuple[Classifier, Tensor, Tensor]:
    """The first two logits of the network, as a model of two classes."""
    whole = small_classifier(SHAPE).eval()
    network = nn.Sequential(*whole.network.children(), Fault(lambda logits: logits[:, :2]))
    classes = {"label": ("cat", "dog")}
    classifier = Classifier(network, SHAPE, [0.4], [0.2], classes, whole.objective, "module(two)").eval()
    pixels = random_pixels(SHAPE, count)
    with torch.no_grad():
        return classifier, pixels, classifier(pixels).argmax(1)


def said(model: Classifier, pixels: Tensor) -> list[int]:
    """The classes that a model predicts, whatever mode it was found in."""
    with evaluating(model), torch.no_grad():
        return [int(place) for place in model(pixels).argmax(1)]
