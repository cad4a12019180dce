"""Class activation maps and masks on networks so small that the maps can be worked out on paper."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from cnnlab import explain
from cnnlab.explain.masking import RISE
from cnnlab.models import Classifier
from cnnlab.testing import conv_classifier, linear_classifier, tiny_image
from tests.explain.networks import layered, pictures, wrapped

# A1 = x and A2 = 1 - x of the tiny image x = [[1/4, 1/2], [3/4, 1]]; the score of "one" weighs their places.
FIRST, SECOND = np.array([[0.25, 0.5], [0.75, 1.0]]), np.array([[0.75, 0.5], [0.25, 0.0]])
WEIGHTS = np.array([[[1.0, -1.0], [2.0, 0.0]], [[0.0, 4.0], [-2.0, 1.0]]])


def two_maps() -> Classifier:
    """Two 1×1 convolutions, and a dense layer on their four places each; the other class is 0."""
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(8, 2, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
        network[0].bias.copy_(torch.tensor([0.0, 1.0]))
        network[2].weight.copy_(torch.stack([torch.tensor(WEIGHTS).float().flatten(), torch.zeros(8)]))
    classes = {"label": ("one", "other")}
    return Classifier(network, (1, 2, 2), [0.0], [1.0], classes, "classes(column=label)", "module(two)").eval()


def maps(method: str, **facts: object) -> np.ndarray:
    return explain.attribute(two_maps(), tiny_image(), method, "one", "0", **facts).values[0]  # type: ignore[arg-type]


def test_grad_cam_is_equation_2() -> None:
    # Mean gradients: (1 - 1 + 2 + 0)/4 = 1/2 and (0 + 4 - 2 + 1)/4 = 3/4.
    assert maps("grad-cam") == pytest.approx(FIRST / 2 + 3 * SECOND / 4)


def test_hirescam_is_the_product_place_by_place() -> None:
    assert maps("hirescam") == pytest.approx(FIRST * WEIGHTS[0] + SECOND * WEIGHTS[1])


def test_layer_cam_leaves_out_gradients_below_0() -> None:
    first, second = np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([[0.0, 4.0], [0.0, 1.0]])
    assert maps("layer-cam") == pytest.approx(FIRST * first + SECOND * second)


def test_grad_cam_plus_plus_is_equation_19_without_exp_of_the_score() -> None:
    # alpha = g² / (2 g² + g³ ΣA) = 1 / (2 + g ΣA) where g is not 0; ΣA is 5/2 and 3/2. Equation 5 takes g above 0 only:
    # channel 1 has g = 1, 2: 1/(2 + 5/2)·1 + 1/(2 + 5)·2, channel 2 has g = 4, 1: 1/(2 + 6)·4 + 1/(2 + 3/2)·1.
    weights = (1 / 4.5 + 2 / 7, 4 / 8 + 1 / 3.5)
    assert maps("grad-cam++") == pytest.approx(weights[0] * FIRST + weights[1] * SECOND)


def test_grad_cam_plus_plus_is_the_map_by_automatic_higher_derivatives() -> None:
    places = torch.tensor(np.stack([FIRST, SECOND])).requires_grad_()
    score = torch.exp((places * torch.tensor(WEIGHTS)).sum())
    (first,) = torch.autograd.grad(score, places, create_graph=True)
    second, third = torch.zeros_like(places), torch.zeros_like(places)
    for place in np.ndindex(2, 2, 2):
        (rows,) = torch.autograd.grad(first[place], places, create_graph=True)
        second[place] = rows[place].detach()
        third[place] = torch.autograd.grad(rows[place], places, retain_graph=True)[0][place]
    below = 2 * second + places.sum((1, 2), keepdim=True) * third
    weights = (second / below).nan_to_num() * first.clamp(min=0)
    wanted = (weights.sum((1, 2), keepdim=True) * places).sum(0) / score
    assert maps("grad-cam++") == pytest.approx(wanted.detach().numpy())


def score_of(picture: np.ndarray) -> float:
    return float((WEIGHTS[0] * picture + WEIGHTS[1] * (1 - picture)).sum())


def test_score_cam_weighs_by_the_increase_of_the_score_behind_each_channel() -> None:
    # Brought to [0, 1], both channels are (A - min) / (max - min); the baseline is black.
    masks = ((FIRST - 0.25) / 0.75, SECOND / 0.75)
    increases = [score_of(FIRST * mask) - score_of(0 * FIRST) for mask in masks]
    found = maps("score-cam(weights=increase, baseline=0)")
    assert found == pytest.approx(increases[0] * FIRST + increases[1] * SECOND, rel=1e-5)
    total = sum(math.exp(each) for each in increases)
    shares = [math.exp(each) / total for each in increases]
    assert maps("score-cam(baseline=0)") == pytest.approx(shares[0] * FIRST + shares[1] * SECOND, rel=1e-5)


def test_score_cam_runs_nothing_for_a_channel_that_is_the_same_everywhere() -> None:
    classifier = two_maps()
    with torch.no_grad():
        classifier.network[0].weight[1] = 0
        classifier.network[0].bias[1] = 2
    seen: list[int] = []
    classifier.network[2].register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    found = explain.score_cam(classifier, tiny_image(), "one", "0", baseline=0.0)
    increase = float((WEIGHTS[0] * FIRST * (FIRST - 0.25) / 0.75).sum())
    shares = np.exp([increase, 0]) / np.exp([increase, 0]).sum()
    assert found.values[0] == pytest.approx(shares[0] * FIRST + shares[1] * 2, rel=1e-5)
    # The picture, the baseline, and one mask; what is found out of the network before is nobody's to hear.
    assert seen == [1, 1, 1]


def test_ablation_cam_weighs_by_the_share_of_the_score_that_is_lost() -> None:
    lost = [float((WEIGHTS[0] * FIRST).sum()), float((WEIGHTS[1] * SECOND).sum())]
    share = [each / abs(sum(lost)) for each in lost]
    assert maps("ablation-cam") == pytest.approx(share[0] * FIRST + share[1] * SECOND)


def test_occlusion_of_one_pixel_is_what_its_weight_loses() -> None:
    found = explain.occlusion(linear_classifier(), tiny_image(), "cat", size=1, stride=1, baseline=0.0)
    assert found.values[0] == pytest.approx(np.array([[1, -1], [0, 4]]) * FIRST)


def test_occlusion_is_the_mean_over_the_windows_that_cover_a_pixel() -> None:
    found = explain.occlusion(linear_classifier(), tiny_image(), "cat", size=(2, 1), stride=1, baseline=0.0)
    # Columns lose 1·1/4 + 0·3/4 and -1·1/2 + 4·1.
    assert found.values[0] == pytest.approx(np.array([[0.25, 3.5], [0.25, 3.5]]))


def test_rise_is_the_mean_of_masks_by_the_score_seen_through_each() -> None:
    classifier, images = wrapped(layered()), pictures(2)
    masks = RISE(masks=30, cells=4, share=0.4, seed=3).drawn(12, 12, 0, 30)
    assert 0.3 < float(masks.mean()) < 0.5
    assert float(masks.min()) == 0
    assert float(masks.max()) == pytest.approx(1)
    with torch.no_grad():
        # What is not seen is the mean colour, 0.4.
        scores = [classifier(0.4 + mask * (images - 0.4))[:, 2] for mask in masks]
    wanted = sum(score[:, None, None] * mask for score, mask in zip(scores, masks, strict=True)) / (30 * 0.4)
    found = explain.rise(classifier, images, "owl", masks=30, cells=4, share=0.4, seed=3)
    np.testing.assert_allclose(found.values, wanted, rtol=1e-4, atol=1e-4)  # type: ignore[arg-type]


def test_masks_of_rise_lie_at_places_of_their_own() -> None:
    masks = RISE(masks=200, cells=3).drawn(12, 12, 0, 200)[:, 0]
    corners = masks[:, 0, 0]
    assert len(torch.unique(corners)) > 4, "shifts are no whole cells, which would leave 0 and 1"
    assert torch.equal(masks[50:60], RISE(masks=200, cells=3).drawn(12, 12, 50, 60)[:, 0])
    assert not torch.equal(masks, RISE(masks=200, cells=3, seed=1).drawn(12, 12, 0, 200)[:, 0])


def test_tiny_answers_are_those_of_the_docstring() -> None:
    classifier, picture = conv_classifier(), tiny_image()
    assert (explain.grad_cam(classifier, picture, "cat", "relu1").values[0] == 2 * FIRST).all()
    assert (explain.grad_cam(classifier, picture, "cat", "relu1").scaled()[0] == FIRST).all()
    assert (explain.guided_backpropagation(classifier, picture, "cat").values == 2).all()
    assert (explain.guided_backpropagation(classifier, picture, "dog").values == 0).all()
    assert (explain.occlusion(classifier, picture, "cat", size=1, stride=1, baseline=0.0).values[0] == 2 * FIRST).all()


def test_gradient_shap_adds_up_to_the_score_less_that_of_the_baselines() -> None:
    classifier, others = linear_classifier(), torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    found = explain.gradient_shap(classifier, tiny_image(), "owl", n=3000, baseline=others)
    with torch.no_grad():
        wanted = classifier(tiny_image())[0, 2] - classifier(others)[:, 2].mean()
    assert found.values.sum() == pytest.approx(float(wanted), abs=0.05)
    assert "baseline=given" in found.method


def test_integrated_gradients_add_up_and_say_so() -> None:
    found = explain.integrated_gradients(linear_classifier(), tiny_image(), "owl", steps=4)
    assert found.values[0, 0] == pytest.approx(np.array([[-1, 1], [2, 2]]) * FIRST)
    assert abs(found.facts["completeness_gap"][0]) < 1e-5
    assert "completeness gap, 4 steps" in found.notes[0]
