"""The answers of the tiny networks, as their docstrings have them."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from cnnlab import models, objectives
from cnnlab.testing import (
    batch_norm_classifier,
    conv_classifier,
    linear_classifier,
    tiny_image,
    two_head_classifier,
)

ALL = [linear_classifier, conv_classifier, batch_norm_classifier, two_head_classifier]


def gradient(outputs: torch.Tensor, pixels: torch.Tensor) -> list[float]:
    return torch.autograd.grad(outputs, pixels, retain_graph=True)[0].flatten().tolist()


def image_with_gradient() -> torch.Tensor:
    return tiny_image().requires_grad_()


def test_linear_logits_and_gradients() -> None:
    pixels = image_with_gradient()
    (logits,) = linear_classifier()(pixels)
    assert logits.tolist() == [3.75, 2.0, 2.75]
    assert [gradient(logit, pixels) for logit in logits] == [[1, -1, 0, 4], [1, -1, 3, 0], [-1, 1, 2, 2]]


def test_linear_deepfool_step_ends_on_the_nearest_boundary() -> None:
    classifier, pixels = linear_classifier(), image_with_gradient()
    (logits,) = classifier(pixels)
    rows = torch.tensor([gradient(logit, pixels) for logit in logits])
    missing, directions = (logits[0] - logits[1:]).detach(), rows[1:] - rows[0]
    distances = missing / directions.norm(dim=1)
    assert distances.tolist() == pytest.approx([7 / 20, 1 / 4])
    step = missing[1] * directions[1] / directions[1].square().sum()
    assert step.tolist() == [-1 / 8, 1 / 8, 1 / 8, -1 / 8]
    landed = pixels.detach() + step.view(1, 1, 2, 2)
    assert landed.flatten().tolist() == [1 / 8, 5 / 8, 7 / 8, 7 / 8]
    assert classifier(landed).tolist() == [[3.0, 2.125, 3.0]]


@pytest.mark.parametrize(("size", "label"), [(0.12, 0), (0.13, 2)])
def test_linear_fast_gradient_step_of_an_eighth_is_the_least_that_changes_the_class(size: float, label: int) -> None:
    classifier, pixels = linear_classifier(), image_with_gradient()
    loss = F.cross_entropy(classifier(pixels), torch.tensor([0]))
    signs = torch.tensor(gradient(loss, pixels)).sign()
    assert signs.tolist() == [-1, 1, 1, -1]
    stepped = pixels.detach() + size * signs.view(1, 1, 2, 2)
    assert classifier(stepped).argmax(1).item() == label


def test_conv_logits_features_and_gradients() -> None:
    classifier, pixels = conv_classifier(), image_with_gradient()
    features = []
    classifier.network.relu1.register_forward_hook(lambda module, inputs, output: features.append(output))
    (logits,) = classifier(pixels)
    assert logits.tolist() == [5.0, 2.5]
    assert torch.equal(features[0], tiny_image())
    assert [gradient(logit, pixels) for logit in logits] == [[2.0] * 4, [-1.0] * 4]


@pytest.mark.parametrize(("label", "expected"), [(0, [0.5, 1.0, 1.5, 2.0]), (1, [0.0] * 4)])
def test_conv_grad_cam(label: int, expected: list[float]) -> None:
    classifier, features = conv_classifier(), []
    classifier.network.relu1.register_forward_hook(lambda module, inputs, output: features.append(output))
    logit = classifier(tiny_image())[0, label]
    (slope,) = torch.autograd.grad(logit, features[0])
    cam = (slope.mean((2, 3), keepdim=True) * features[0]).sum(1).relu()
    assert cam.flatten().tolist() == expected


@pytest.mark.parametrize(("label", "expected"), [(0, [2.0] * 4), (1, [0.0] * 4)])
def test_conv_guided_backpropagation(label: int, expected: list[float]) -> None:
    classifier, pixels = conv_classifier(), image_with_gradient()
    classifier.network.relu1.register_full_backward_hook(lambda module, inputs, outputs: (inputs[0].clamp(min=0),))
    assert gradient(classifier(pixels)[0, label], pixels) == expected


def test_conv_without_a_pixel() -> None:
    covered = tiny_image().repeat(4, 1, 1, 1).flatten(1)
    covered.fill_diagonal_(0)
    lost = torch.tensor([5.0, 2.5]) - conv_classifier()(covered.view(4, 1, 2, 2))
    assert lost[:, 0].tolist() == [0.5, 1.0, 1.5, 2.0]
    assert lost[:, 1].tolist() == [-0.25, -0.5, -0.75, -1.0]


def test_batch_norm_in_evaluation_and_in_training() -> None:
    classifier, pixels = batch_norm_classifier(), image_with_gradient()
    (logits,) = classifier(pixels)
    assert logits.tolist() == pytest.approx([6.0, 0.0], abs=1e-5)
    assert gradient(logits[0], pixels) == pytest.approx([4.0] * 4)
    norm = classifier.network.bn1
    assert norm.running_mean.item() == 0.5
    assert classifier.train()(torch.cat([tiny_image(), tiny_image()])).flatten().tolist() == pytest.approx(
        [4, 0, 4, 0], abs=1e-5
    )
    assert norm.running_mean.item() == pytest.approx(0.5 + 0.125 * norm.momentum)


def test_two_heads_decode_to_a_side_and_a_size() -> None:
    classifier, pixels = two_head_classifier(), image_with_gradient()
    outputs = classifier(pixels)
    assert outputs.tolist() == [[1.0, 2.0, -0.5]]
    assert [gradient(output, pixels) for output in outputs[0]] == [[4, 0, 0, 0], [0, 0, 0, 2], [1, -1, 1, -1]]
    objective = objectives.restore_objective(classifier.objective, classifier.classes)
    decoded = objective.decode(outputs.detach())
    assert (decoded["side"].item(), decoded["size"].item()) == (1, 2.5)
    assert objective.probabilities(outputs.detach())["side"][0, 1].item() == pytest.approx(math.e / (1 + math.e))


@pytest.mark.parametrize("make", ALL)
def test_each_is_an_ordinary_classifier_that_survives_its_file(make, tmp_path: Path) -> None:
    classifier = make()
    assert not classifier.training
    models.save_classifier(tmp_path / "model.safetensors", classifier)
    again = models.load_classifier(tmp_path / "model.safetensors").eval()
    assert torch.equal(again(tiny_image()), classifier(tiny_image()))


@pytest.mark.parametrize("make", ALL)
def test_each_call_makes_another(make) -> None:
    first, second = make(), make()
    with torch.no_grad():
        next(first.parameters()).zero_()
    assert not torch.equal(first(tiny_image()), second(tiny_image()))
