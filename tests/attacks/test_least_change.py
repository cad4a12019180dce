"""Attacks that look for the least change: what all of them promise, and FMN and Carlini–Wagner against planes."""

import numpy as np
import pytest
import torch

from cnnlab.attacks import Adversarial, perturb
from cnnlab.attacks.norms import AnyNorm
from cnnlab.models import Classifier, evaluating
from cnnlab.testing import check_tool, linear_classifier, tiny_image
from cnnlab.testing.model_tools import random_pixels, small_classifier

ATTACKS = (
    "deepfool",
    "deepfool(norm=linf, target=second)",
    "carlini-wagner(steps=10, search_steps=3, lr=0.1)",
    "fmn(steps=8)",
    "fmn(norm=linf, steps=8)",
    "fmn(norm=l1, steps=8)",
    "fmn(norm=l0, steps=8, target=least-likely)",
    "jsma",
    "jsma(target=none, of=logits, theta=-0.5)",
    "jsma(target=random, pairs=false)",
    "one-pixel(population=10, steps=3)",
)


def grey(count: int = 12) -> tuple[Classifier, torch.Tensor, torch.Tensor]:
    """A network of random weights, pictures of 8 bits, and what it says of them."""
    classifier, pixels = small_classifier((1, 8, 8)).eval(), (random_pixels((1, 8, 8), count) * 255).round() / 255
    with torch.no_grad():
        return classifier, pixels, classifier(pixels).argmax(1)


@pytest.mark.parametrize("attack", ATTACKS)
def test_neither_order_nor_size_of_batches_changes_what_is_found(attack: str) -> None:
    classifier, pixels, labels = grey()
    whole = perturb(classifier, pixels, labels, attack)
    order = torch.arange(len(labels)).flip(0)
    parts = perturb(classifier, pixels[order], labels[order], attack, batch_size=5, pictures=order.tolist())
    rows = {(place, target): row for row, (place, target) in enumerate(_keys(whole, list(range(12))))}
    same = [rows[key] for key in _keys(parts, order.tolist())]
    np.testing.assert_allclose(parts.pixels, whole.pixels[same], atol=1e-4)
    assert whole.pixels.min() >= 0 and whole.pixels.max() <= 1


def _keys(found: Adversarial, pictures: list[int]) -> list[tuple[int, int]]:
    targets = found.labels if found.targets is None else found.targets
    return [(pictures[place], int(target)) for place, target in zip(found.places, targets, strict=True)]


@pytest.mark.parametrize(
    "attack", ["deepfool(steps=3)", "fmn(steps=3)", "jsma(of=logits, gamma=0.05)", "one-pixel(population=4, steps=1)"]
)
def test_models_are_left_as_they_were_found(attack: str) -> None:
    check_tool(lambda model, pixels: perturb(model, pixels, _said(model, pixels), attack).pixels)


def _said(model: Classifier, pixels: torch.Tensor) -> list[int]:
    with evaluating(model), torch.no_grad():
        return [int(place) for place in model(pixels).argmax(1)]


@pytest.mark.parametrize(("norm", "distance"), [("l2", 1 / 4), ("linf", 1 / 8), ("l1", 1 / 2)])
def test_fmn_comes_to_the_nearest_plane(norm: AnyNorm, distance: float) -> None:
    # Weights change by (−2, 2, 2, −2) from cat to owl, and 1.00 is to be made up.
    found = perturb(linear_classifier(), tiny_image(), ["cat"], f"fmn(norm={norm}, growth=0)")
    assert found.fooled_unrounded[0]
    assert found.lengths(norm, is_rounded=False)[0] == pytest.approx(distance, rel=2e-3)


def test_fmn_changes_no_more_pixels_than_it_takes() -> None:
    # Towards dog 1.75 is to be made up by (0, 0, 3, −4): the last pixel alone does it.
    found = perturb(linear_classifier(), tiny_image(), ["cat"], "fmn(norm=l0, target=dog)")
    assert found.fooled[0] and found.lengths("l0", is_rounded=False)[0] == 1


def test_carlini_and_wagner_come_to_the_nearest_plane() -> None:
    found = perturb(linear_classifier(), tiny_image(), ["cat"], "carlini-wagner(steps=100, lr=0.1, growth=0)")
    assert found.fooled_unrounded[0]
    assert found.lengths("l2", is_rounded=False)[0] == pytest.approx(0.25, rel=0.02)


def test_confidence_is_how_far_the_wrong_logit_lies_above() -> None:
    classifier = linear_classifier()
    attack = "carlini-wagner(confidence=0.5, steps=100, lr=0.1, growth=0)"
    found = perturb(classifier, tiny_image(), ["cat"], attack)
    with torch.no_grad():
        logits = classifier(torch.from_numpy(found.pixels))[0]
    assert float(logits[2] - logits[0]) >= 0.5 - 1e-5
    # 1.50 is to be made up by weights of length 4.
    assert found.lengths("l2", is_rounded=False)[0] == pytest.approx(1.5 / 4, rel=0.05)


def test_a_picture_whose_sum_falls_no_more_leaves_early() -> None:
    found = perturb(linear_classifier(), tiny_image(), ["cat"], "carlini-wagner(steps=100, lr=0.5)")
    assert found.backwards[0] < 0.7 * 9 * 100


@pytest.mark.parametrize(
    "attack", ["fmn(steps=40)", "carlini-wagner(steps=50, search_steps=5, lr=0.1)", "deepfool(norm=l2)"]
)
def test_what_is_found_lies_nearer_than_what_a_budget_allows(attack: str) -> None:
    classifier, pixels, labels = grey()
    least = perturb(classifier, pixels, labels, attack)
    budget = perturb(classifier, pixels, labels, "pgd(norm=l2, eps=1, steps=20)")
    assert least.success >= budget.success
    both = least.fooled & budget.fooled
    lengths = least.lengths("l2")[both]
    assert (lengths < budget.lengths("l2")[both]).mean() > 0.9


@pytest.mark.parametrize("attack", ["fmn(steps=60)", "fmn(steps=60, target=second)"])
def test_nothing_lies_nearer_on_the_way_to_what_is_found(attack: str) -> None:
    classifier, pixels, labels = grey()
    found = perturb(classifier, pixels, labels, attack.replace(")", ", growth=0)"))
    assert found.fooled_unrounded.all()
    nearer = torch.from_numpy(found.origin + 0.9 * (found.pixels - found.origin))
    with torch.no_grad():
        predicted = classifier(nearer).argmax(1).numpy()
    still = predicted != found.labels if found.targets is None else predicted == found.targets
    assert still.mean() < 0.1
