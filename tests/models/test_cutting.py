"""A classifier cut in two: the features that are kept, and the rest of the network from there on."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.models import Classifier, build_network
from cnnlab.models.cutting import Remainder, cut_of
from cnnlab.models.features import features_in_turn

SHAPE = (3, 16, 16)


def classifier_of(
    network: nn.Module | str, frozen: Sequence[str] = (), shape: tuple[int, int, int] = SHAPE
) -> Classifier:
    """In training mode but for the layers named, which are frozen."""
    network = build_network(network, shape, 4) if isinstance(network, str) else network
    classes = {"label": list("abcd")}
    classifier = Classifier(network, shape, (0.5,) * 3, (0.25,) * 3, classes, "classes", "module(x)").train()
    for name in frozen:
        classifier.network.get_submodule(name).requires_grad_(False).eval()
    return classifier


def kept(classifier: Classifier) -> str | None:
    cut = cut_of(classifier)
    return None if cut is None else cut.layer


class DropsInBetween(nn.Module):
    """Two layers, and a dropout between them that is no module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 16), nn.Linear(4, 4)

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = self.head(F.dropout(self.conv(input).flatten(1), 0.5, self.training))
        return output


@pytest.mark.parametrize(
    ("spec", "frozen", "layer"),
    [
        ("conv(4)|relu|pool|conv(4)|relu|pool", ["conv1"], "pool1"),
        ("conv(4)|relu|conv(4)|relu|dropout(0.5)", ["conv1", "conv2"], "relu2"),
        ("conv(4)|relu|dropout(0.5)|dense(5)", ["conv1", "dropout1"], "flatten1"),
        ("conv(4)|bn|relu|dense(5)", ["conv1"], "conv1"),
        ("conv(4)|bn|relu|dense(5)", ["conv1", "bn1"], "flatten1"),
        ("conv(4)|relu|dense(5)", ["dense1"], None),
        ("dropout(0.2)|conv(4)|relu", ["conv1"], None),
        ("flatten|dense(5)", [], None),
    ],
)
def test_all_up_to_the_first_that_is_trained_or_random_is_kept(spec: str, frozen: list[str], layer: str | None) -> None:
    assert kept(classifier_of(spec, frozen)) == layer


def test_what_computes_between_its_layers_is_not_cut_there() -> None:
    assert kept(classifier_of(DropsInBetween(), ["conv"])) is None


@pytest.mark.parametrize(
    ("spec", "frozen", "side"),
    [
        ("conv(4)|bn|relu|pool|conv(4)|relu|global_pool|dense(5)", ["conv1", "bn1"], 16),
        ("squeezenet1_1", ["conv1", "fire1", "fire2", "fire3"], 64),
        ("efficientnet-lite0(head='global_pool|dense(5)')", ["body"], 64),
        ("resnet18(width=0.1)", ["conv1", "bn1", "residual1", "residual2"], 32),
    ],
)
def test_the_rest_on_what_is_kept_is_the_whole(spec: str, frozen: list[str], side: int) -> None:
    shape = (3, side, side)
    classifier, pictures = classifier_of(spec, frozen, shape), torch.rand(3, *shape)
    cut = cut_of(classifier)
    assert cut is not None
    features = torch.cat(list(features_in_turn(classifier, cut.layer, pictures.split(2))))
    assert features.shape == (3, *cut.shape)
    classifier.eval()
    with torch.no_grad():
        whole = classifier(pictures)
        assert torch.allclose(Remainder(classifier, cut)(features), whole, atol=1e-5)
        assert torch.equal(classifier(pictures), whole)


def test_gradients_of_the_rest_are_those_of_the_whole() -> None:
    classifier = classifier_of("conv(4)|relu|pool|conv(4)|relu|global_pool|dense(5)|relu", ["conv1"])
    pictures = torch.rand(3, *SHAPE)
    cut = cut_of(classifier)
    assert cut is not None
    features = torch.cat(list(features_in_turn(classifier, cut.layer, [pictures])))

    def gradients(outputs: Tensor) -> dict[str, Tensor]:
        classifier.zero_grad(set_to_none=True)
        outputs.square().sum().backward()
        return {name: p.grad for name, p in classifier.named_parameters() if p.grad is not None}

    whole, rest = gradients(classifier(pictures)), gradients(Remainder(classifier, cut)(features))
    assert whole.keys() == rest.keys() and "network.conv1.weight" not in rest
    assert all(torch.allclose(gradient, rest[name], atol=1e-6) for name, gradient in whole.items())
