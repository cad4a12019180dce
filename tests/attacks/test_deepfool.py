"""DeepFool, held to distances to planes worked by hand, and to what rounding and the edge of the range ask for."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cnnlab.attacks import perturb
from cnnlab.core.errors import SpecError
from cnnlab.models import Classifier, build_network, canonical_model
from cnnlab.objectives import restore_objective
from cnnlab.testing import conv_classifier, linear_classifier, tiny_image
from cnnlab.testing.model_tools import random_pixels, small_classifier

BEYOND = 1.02
"""How far it goes for a distance of 1, by the overshoot."""


def planes(weights: NDArray[np.float32], bias: NDArray[np.float32], objective: str = "classes") -> Classifier:
    """A dense layer on grey pictures of 3×3."""
    names = ("cat", "dog", "owl", "pig")[: max(2, len(weights))]
    settled = restore_objective(objective, {"label": names})
    network = build_network("flatten", (1, 3, 3), settled.outputs)
    layers = canonical_model("flatten")
    classifier = Classifier(network, (1, 3, 3), [0.0], [1.0], {"label": names}, settled.spec, layers).eval()
    state = network.state_dict()
    state["head.weight"].copy_(torch.from_numpy(weights))
    state["head.bias"].copy_(torch.from_numpy(bias))
    return classifier


def drawn_planes(classes: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32], torch.Tensor]:
    """Weights, biases that put the planes near, and pictures far from black and white."""
    draw = np.random.default_rng(seed)
    weights = draw.normal(size=(classes, 9)).astype(np.float32)
    pixels = draw.uniform(0.4, 0.6, (20, 9)).astype(np.float32)
    bias = -(weights @ pixels.mean(0)).astype(np.float32)
    return weights, bias, torch.from_numpy(pixels).view(20, 1, 3, 3)


def test_it_goes_to_the_nearest_plane_and_the_overshoot_beyond() -> None:
    found = perturb(linear_classifier(), tiny_image(), ["cat"], "deepfool")
    np.testing.assert_allclose(found.pixels[0, 0], [[0.1225, 0.6275], [0.8775, 0.8725]], atol=1e-6)
    assert found.after.predicted[0] == 2 and found.fooled_unrounded[0]
    assert found.lengths("l2", is_rounded=False)[0] == pytest.approx(0.25 * 1.02, abs=1e-5)


def test_in_linf_every_pixel_goes_as_far_as_the_others() -> None:
    # To owl 1.00 is to be made up by weights that sum up to 8, to dog 1.75 by 7.
    found = perturb(linear_classifier(), tiny_image(), ["cat"], "deepfool(norm=linf)")
    wanted = tiny_image()[0, 0].numpy() + 0.1275 * np.array([[-1, 1], [1, -1]])
    np.testing.assert_allclose(found.pixels[0, 0], wanted, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_distance_is_that_to_the_nearest_plane(classes: int, norm: str) -> None:
    weights, bias, pixels = drawn_planes(classes, classes)
    logits = pixels.flatten(1).numpy().astype(float) @ weights.T.astype(float) + bias
    labels = logits.argmax(1)
    wanted = []
    for logit, label in zip(logits, labels, strict=True):
        apart = np.delete(weights - weights[label], label, 0).astype(float)
        size = np.linalg.norm(apart, axis=1) if norm == "l2" else np.abs(apart).sum(1)
        wanted.append((np.delete(logit[label] - logit, label) / size).min())
    found = perturb(planes(weights, bias), pixels, labels, f"deepfool(norm={norm}, growth=0)")
    across = found.lengths(found.norm or "l2", is_rounded=False)
    np.testing.assert_allclose(across / BEYOND, wanted, atol=1e-5)


def test_one_logit_for_two_classes_is_a_plane_too() -> None:
    weights, bias, pixels = drawn_planes(1, 0)
    logit = pixels.flatten(1).numpy() @ weights[0] + bias[0]
    labels = (logit > 0).astype(int)
    found = perturb(planes(weights, bias, "binary"), pixels, labels, "deepfool(growth=0)")
    np.testing.assert_allclose(
        found.lengths("l2", is_rounded=False) / BEYOND, np.abs(logit) / np.linalg.norm(weights), atol=1e-5
    )


def test_two_classes_through_a_convolution_worked_by_hand() -> None:
    # Cat minus dog is 12·mean − 5 = 5/2, its gradient 3 at each of 4 pixels.
    found = perturb(conv_classifier(), tiny_image(), ["cat"], "deepfool(growth=0)")
    np.testing.assert_allclose(tiny_image()[0].numpy() - found.pixels[0], BEYOND * 2.5 / 12, atol=1e-5)


def test_a_target_is_reached_by_its_own_plane_though_another_is_nearer() -> None:
    found = perturb(linear_classifier(), tiny_image(), ["cat"], "deepfool(target=dog)")
    assert found.fooled.tolist() == [True]
    # Dog is 7/20 away, straight on.
    assert found.lengths("l2", is_rounded=False)[0] == pytest.approx(0.35 * 1.02, abs=1e-5)


def test_steps_that_are_clipped_get_across_and_both_lengths_are_told() -> None:
    # At x = (0, 1/2, 3/4, 1) cat is 3.5 and owl 3.0. The first pixel cannot fall; the other three, whose weights change
    # by (2, 2, −2), meet the plane at 0.5/12·(2, 2, −2).
    black = torch.tensor([[[[0.0, 0.5], [0.75, 1.0]]]])
    found = perturb(linear_classifier(), black, ["cat"], "deepfool(growth=0)")
    assert found.fooled_unrounded[0] and found.backwards[0] > 4
    np.testing.assert_allclose(found.pixels.ravel(), [0, 0.5 + 1 / 12, 0.75 + 1 / 12, 1 - 1 / 12], atol=1e-3)
    # Unclipped all four go as far.
    assert found.facts["unclipped_length"][0] == pytest.approx(4**0.5 / 12, abs=1e-3)
    assert found.lengths("l2", is_rounded=False)[0] == pytest.approx(3**0.5 / 12, abs=1e-3)


def test_a_picture_that_rounding_takes_back_goes_a_little_further() -> None:
    # Pixels of multiples of 1/255, and a plane 0.2 steps of them away: rounded, the change is gone.
    weights = np.zeros((2, 9), dtype=np.float32)
    weights[1] = 1
    pixels = torch.full((1, 1, 3, 3), 100 / 255)
    bias = np.array([0, -9 * 100.3 / 255], dtype=np.float32)
    classifier = planes(weights, bias)
    kept = perturb(classifier, pixels, [0], "deepfool(growth=0)")
    grown = perturb(classifier, pixels, [0], "deepfool")
    assert kept.fooled_unrounded[0] and not kept.fooled[0]
    assert grown.fooled[0] and 0.5 < grown.facts["growth"][0] <= 1
    assert grown.lengths("linf", is_rounded=False)[0] <= 2 * 1.02 * 0.3 / 255 + 1e-6


def test_fewer_classes_are_fewer_passes_and_never_nearer() -> None:
    weights, bias, pixels = drawn_planes(4, 7)
    classifier = planes(weights, bias)
    with torch.no_grad():
        labels = classifier(pixels).argmax(1)
    every = perturb(classifier, pixels, labels, "deepfool(growth=0)")
    one = perturb(classifier, pixels, labels, "deepfool(classes=2, growth=0)")
    assert set(every.backwards) == {3} and one.backwards.min() == 1
    assert (one.lengths("l2", is_rounded=False) >= every.lengths("l2", is_rounded=False) - 1e-6).all()


def test_solved_pictures_cost_nothing_more() -> None:
    classifier, pixels = small_classifier((1, 8, 8)).eval(), random_pixels((1, 8, 8), 30)
    with torch.no_grad():
        labels = classifier(pixels).argmax(1)
    found = perturb(classifier, pixels, labels, "deepfool(growth=0)")
    assert found.fooled_unrounded.all()
    steps = found.backwards // 2
    assert steps.min() < steps.max()
    # A step is one pass forward, or two where many others are solved.
    assert (found.forwards >= steps).all() and (found.forwards <= 2 * steps + 1).all()


def test_a_network_whose_gradient_is_nothing_leaves_pictures_as_they_are() -> None:
    classifier = planes(np.zeros((2, 9), dtype=np.float32), np.array([1, 0], dtype=np.float32))
    found = perturb(classifier, torch.full((1, 1, 3, 3), 0.5), [0], "deepfool(steps=3)")
    np.testing.assert_array_equal(found.pixels, found.origin)
    assert found.success == 0


@pytest.mark.parametrize(
    ("attack", "message"), [("deepfool(norm=l1)", "l2 or linf"), ("deepfool(classes=1)", "at least 2")]
)
def test_what_it_cannot_do_is_told(attack: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        perturb(linear_classifier(), tiny_image(), ["cat"], attack)
