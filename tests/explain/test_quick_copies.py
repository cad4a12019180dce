"""Copies that compute the same in less time, and how pictures pass a model, which is remembered."""

import gc
import weakref
from collections import OrderedDict
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnnlab import explain
from cnnlab.explain.batches import quick_copy
from cnnlab.explain.layers import passes_of
from cnnlab.explain.targets import Chosen
from cnnlab.models import Classifier, build_network
from cnnlab.models.backbones import ConvHead


def classifier_of(network: nn.Module, outputs: int = 2) -> Classifier:
    names = {"label": tuple("abcdefgh"[:outputs])}
    return Classifier(network, (1, 8, 8), [0.0], [1.0], names, "classes", "module(own)").eval()


class NormBeside(nn.Module):
    """What the convolution puts out goes on in two ways, of which one is in no module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)
        with torch.no_grad():
            self.norm.running_mean.copy_(torch.tensor([1.0, -2.0, 3.0, 0.5]))
            self.norm.running_var.fill_(0.3)

    def forward(self, input: Tensor) -> Tensor:
        maps = self.conv(input)
        return self.head((maps + self.norm(maps)).mean((2, 3)))


def test_a_norm_beside_what_it_normalises_is_not_worked_into_the_convolution() -> None:
    classifier = classifier_of(NormBeside())
    pixels = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert quick_copy(classifier) is classifier
    found = explain.occlusion(classifier, pixels, 0, size=8, baseline=0)
    with torch.no_grad():
        lost = classifier(pixels)[:, 0] - classifier(torch.zeros_like(pixels))[:, 0]
    assert np.allclose(found.values[:, 0, 0], lost, atol=1e-5)


def test_a_copy_computes_the_same_and_the_spared_layer_puts_out_what_it_did() -> None:
    classifier = classifier_of(build_network("conv(16)|bn|relu|pool|conv(8)|bn|relu|global_pool", (1, 8, 8), 2))
    with torch.no_grad():
        for norm in (classifier.network.bn1, classifier.network.bn2):
            norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2)
    pixels = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    copied = quick_copy(classifier, "conv2")
    assert copied is not classifier
    with torch.no_grad():
        assert torch.allclose(copied(pixels), classifier(pixels), atol=1e-5)
    maps, wanted = (explain.activations(each, pixels, "conv2").values for each in (copied, classifier))
    assert np.allclose(maps, wanted, atol=1e-5)
    assert isinstance(copied.network.bn1, nn.Identity) and isinstance(copied.network.bn2, nn.BatchNorm2d)


class Counting(nn.Module):
    """Counts how often it is passed."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []
        self.scale = 1

    def forward(self, input: Tensor) -> Tensor:
        self.calls.append(len(input))
        return input if self.scale == 1 else input[:, :, ::2, ::2]


def counted() -> Classifier:
    return classifier_of(nn.Sequential(nn.Conv2d(1, 2, 3), Counting(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))


def shapes_of(classifier: Classifier, pixels: Tensor) -> list[Any]:
    """Of what the counting part put out each time."""
    return [each.shape for each in passes_of(classifier, pixels) if each.module is classifier.network[1]]


def test_how_a_picture_passes_is_seen_once_for_a_model() -> None:
    classifier, pixels = counted(), torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    first = explain.grad_cam(classifier, pixels)
    again = explain.grad_cam(classifier, pixels)
    assert classifier.network[1].calls == [1, 3, 3]
    assert np.array_equal(first.values, again.values) and first.layer == again.layer


def test_a_model_that_was_changed_is_looked_at_anew() -> None:
    classifier, grey = counted(), torch.zeros(1, 1, 8, 8)
    assert shapes_of(classifier, grey) == [(2, 6, 6)]
    classifier.network[1].scale = 2
    assert shapes_of(classifier, grey) == [(2, 3, 3)]
    classifier.network[0] = nn.Conv2d(1, 5, 3)
    assert shapes_of(classifier, grey) == [(5, 3, 3)]
    assert classifier.network[1].calls == [1, 1, 1]


def test_a_replaced_forward_is_looked_at_every_time() -> None:
    classifier, grey = counted(), torch.zeros(1, 1, 8, 8)
    for step in (1, 2, 3):
        classifier.network[1].forward = lambda input, step=step: input[:, :, ::step]
        assert shapes_of(classifier, grey) == [(2, -(-6 // step), 6)]


def test_what_is_remembered_keeps_no_model_alive() -> None:
    classifier = counted()
    explain.grad_cam(classifier, torch.zeros(1, 1, 8, 8))
    parts = [weakref.ref(part) for part in classifier.modules()]
    del classifier
    gc.collect()
    assert not any(part() for part in parts)


@pytest.mark.parametrize("method", ["occlusion(size=16)", "rise(masks=12)", "score-cam"])
def test_of_a_thousand_classes_only_those_explained_are_computed_and_the_network_stays(method: str) -> None:
    torch.manual_seed(0)
    layers = {"conv": nn.Conv2d(3, 16, 3), "relu": nn.ReLU(), "head": ConvHead(nn.Conv2d(16, 1000, 1))}
    names = {"label": tuple(map(str, range(1000)))}
    classifier = Classifier(
        nn.Sequential(OrderedDict(layers)), (3, 64, 64), [0.5] * 3, [0.25] * 3, names, "classes", "module(own)"
    ).eval()
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    pixels = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = explain.attribute(classifier, pixels, method, [7, 400, 7])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConvHead, "only", lambda head, outputs: nullcontext())
        patch.setattr(Chosen, "counted", lambda chosen, rows=None: torch.arange(chosen.weights.shape[1]))
        wanted = explain.attribute(classifier, pixels, method, [7, 400, 7])
    scale = np.abs(wanted.values).max()
    assert scale > 0
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-4 * scale)
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert classifier.network.head.conv.weight.shape[0] == 1000
