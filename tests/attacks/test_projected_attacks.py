"""Attacks within a budget, held to a linear classifier worked by hand and to what every attack promises."""

import numpy as np
import pytest
import torch

from cnnlab.attacks import perturb
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.models import Classifier
from cnnlab.testing import check_tool, linear_classifier, tiny_image
from cnnlab.testing.model_tools import random_pixels, small_classifier

BUDGETS = (
    "fgsm(norm=linf, eps=0.1)",
    "fgsm(norm=l2, eps=1)",
    "fgsm(norm=l1, eps=2)",
    "ifgsm(norm=linf, eps=0.1)",
    "pgd(norm=linf, eps=0.1, steps=5)",
    "pgd(norm=l2, eps=1, steps=5, restarts=2)",
    "pgd(norm=l1, eps=2, steps=5)",
    "mifgsm(norm=linf, eps=0.1)",
    "uniform-noise(norm=linf, eps=0.1)",
    "uniform-noise(norm=l1, eps=2, repeats=3)",
    "gaussian-noise(eps=1)",
)
STRONG = "pgd(eps=0.2, steps=20)"


def grey(count: int = 30) -> tuple[Classifier, torch.Tensor, torch.Tensor]:
    """A network of random weights, pictures, and what it says of them."""
    classifier, pixels = small_classifier((1, 8, 8)), random_pixels((1, 8, 8), count)
    classifier.eval()
    with torch.no_grad():
        return classifier, pixels, classifier(pixels).argmax(1)


def test_the_fast_gradient_goes_by_the_signs_that_the_planes_have() -> None:
    # The loss of cat grows by the signs (−, +, +, −) of the gradient.
    found = perturb(linear_classifier(), tiny_image(), ["cat"], "fgsm(eps=0.0625)")
    np.testing.assert_allclose(found.pixels[0, 0], [[0.1875, 0.5625], [0.8125, 0.9375]])
    assert not found.fooled_unrounded[0] and found.robust_accuracy == 1


def test_a_step_beyond_the_plane_changes_the_class() -> None:
    found = perturb(linear_classifier(), tiny_image(), ["cat"], "fgsm(eps=0.15)")
    assert found.after.predicted[0] == 2 and found.success == 1 and found.robust_accuracy == 0
    assert found.lengths("linf", is_rounded=False)[0] == pytest.approx(0.15)
    assert found.forwards[0] >= 2 and found.backwards[0] == 1


def test_in_l2_the_fast_gradient_goes_along_the_gradient() -> None:
    classifier = linear_classifier()
    shares = torch.softmax(torch.tensor([3.75, 2.0, 2.75]), 0)
    weights = torch.tensor([[1.0, -1, 0, 4], [1, -1, 3, 0], [-1, 1, 2, 2]])
    gradient = (shares[:, None] * weights).sum(0) - weights[0]
    wanted = tiny_image().view(-1) + 0.05 * gradient / gradient.norm()
    found = perturb(classifier, tiny_image(), ["cat"], "fgsm(norm=l2, eps=0.05)")
    np.testing.assert_allclose(found.pixels.ravel(), wanted, atol=1e-6)


def test_with_a_target_the_loss_of_the_target_falls() -> None:
    found = perturb(linear_classifier(), tiny_image(), ["cat"], "pgd(eps=0.4, target=dog, random_start=false)")
    assert found.targets is not None and found.targets.tolist() == [1]
    assert found.after.predicted.tolist() == [1] and found.success == 1


@pytest.mark.parametrize("attack", BUDGETS)
def test_every_picture_stays_in_its_budget_and_in_the_range_of_pixels(attack: str) -> None:
    classifier, pixels, labels = grey()
    found = perturb(classifier, pixels, labels, attack)
    assert found.norm is not None and found.eps is not None
    assert found.lengths(found.norm, is_rounded=False).max() <= found.eps * (1 + 1e-5) + 1e-6
    assert found.pixels.min() >= 0 and found.pixels.max() <= 1


@pytest.mark.parametrize("attack", BUDGETS)
def test_neither_order_nor_size_of_batches_changes_what_is_found(attack: str) -> None:
    classifier, pixels, labels = grey()
    whole = perturb(classifier, pixels, labels, attack)
    order = torch.arange(len(labels)).flip(0)
    parts = perturb(classifier, pixels[order], labels[order], attack, batch_size=7, pictures=order.tolist())
    np.testing.assert_allclose(parts.pixels[::-1], whole.pixels, atol=1e-5)


def test_many_steps_fool_more_than_one_and_noise_of_the_size_hardly_any() -> None:
    classifier, pixels, labels = grey(60)
    robust = {
        attack: perturb(classifier, pixels, labels, f"{attack}(eps=0.05)").robust_accuracy
        for attack in ("uniform-noise", "fgsm", "pgd")
    }
    assert robust["pgd"] <= robust["fgsm"] < robust["uniform-noise"]


def test_restarts_only_ever_fool_more() -> None:
    classifier, pixels, labels = grey(60)
    once = perturb(classifier, pixels, labels, "pgd(eps=0.04, steps=3)")
    thrice = perturb(classifier, pixels, labels, "pgd(eps=0.04, steps=3, restarts=3)")
    assert not (once.fooled & ~thrice.fooled).any() and thrice.fooled.sum() >= once.fooled.sum()


def test_fooled_pictures_stay_fooled_once_rounded_to_what_files_hold() -> None:
    classifier, pixels, labels = grey(60)
    found = perturb(classifier, pixels, labels, "pgd(eps=0.1)")
    with torch.no_grad():
        said = classifier(torch.from_numpy(found.rounded)).argmax(1).numpy()
    np.testing.assert_array_equal(said, found.kept.predicted)
    assert found.fooled.sum() == found.fooled_unrounded.sum() > 0


def test_pictures_that_are_wrong_to_begin_with_are_left_and_do_not_count() -> None:
    classifier, pixels, labels = grey()
    wrong = labels.clone()
    wrong[:10] = (wrong[:10] + 1) % 3
    found = perturb(classifier, pixels, wrong, STRONG)
    np.testing.assert_array_equal(found.pixels[:10], pixels[:10])
    assert found.clean_accuracy == pytest.approx(20 / 30) and not found.right[:10].any()
    assert found.forwards[:10].sum() == 0


def test_each_other_class_in_turn_is_a_row_of_its_own() -> None:
    classifier, pixels, labels = grey(5)
    found = perturb(classifier, pixels, labels, "ifgsm(eps=0.3, target=all)")
    assert found.targets is not None and len(found) == 10
    for place, label in enumerate(labels.tolist()):
        assert sorted(found.targets[found.places == place]) == sorted({0, 1, 2} - {label})


@pytest.mark.parametrize("rule", ["second", "least-likely", "random"])
def test_targets_by_a_rule_are_never_the_right_class(rule: str) -> None:
    classifier, pixels, labels = grey()
    found = perturb(classifier, pixels, labels, f"fgsm(target={rule})")
    assert found.targets is not None and not (found.targets == labels.numpy()).any()
    with torch.no_grad():
        order = classifier(pixels).argsort(1, descending=True).numpy()
    if rule != "random":
        np.testing.assert_array_equal(found.targets, order[:, 1 if rule == "second" else 2])


def test_models_are_left_as_they_were_found() -> None:
    check_tool(lambda model, pixels: perturb(model, pixels, _said(model, pixels), "pgd(steps=3)"))


def _said(model: Classifier, pixels: torch.Tensor) -> list[int]:
    from cnnlab.models import evaluating

    with evaluating(model), torch.no_grad():
        return [int(place) for place in model(pixels).argmax(1)]


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        ("pgd(eps=-0.1)", "at least 0"),
        ("pgd(steps=0)", "at least 1"),
        ("pgdd", "Did you mean pgd"),
        ("pgd(norm=l3)", "linf or l2 or l1"),
    ],
)
def test_a_wrong_spec_says_what_is_right(attack: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        perturb(linear_classifier(), tiny_image(), ["cat"], attack)


def test_wrong_pictures_labels_and_targets_are_told() -> None:
    classifier = linear_classifier()
    with pytest.raises(UsageError, match="none of 1 pictures is predicted rightly"):
        perturb(classifier, tiny_image(), ["dog"])
    with pytest.raises(UsageError, match="and no 7"):
        perturb(classifier, tiny_image(), [7])
    with pytest.raises(UsageError, match="no class pig"):
        perturb(classifier, tiny_image(), ["cat"], "pgd(target=pig)")
    with pytest.raises(UsageError, match="of the class cat already"):
        perturb(classifier, tiny_image(), ["cat"], targets=["cat"])
    with pytest.raises(UsageError, match="names 2 classes for 1 pictures"):
        perturb(classifier, tiny_image(), ["cat", "dog"])
    with pytest.raises(UsageError, match="divide bytes by 255"):
        perturb(classifier, tiny_image() * 255, ["cat"])
