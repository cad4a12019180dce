"""Faults planted in tiny networks are found out, and a healthy attack is not doubted."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cnnlab.attacks import Adversarial, check_attack, perturb
from cnnlab.testing import linear_classifier, tiny_image
from tests.attacks.planted_models import healthy, in_steps, overconfident, planted

RANDOM, SHARES, FLAT, SQUARES = "answers differently", "look like probabilities", "gradient was 0", "see no gradient"


def jittered(logits: Tensor) -> Tensor:
    return logits + 0.01 * torch.rand(logits.shape)


@pytest.mark.parametrize(
    ("first", "last", "sign"),
    [(None, jittered, RANDOM), (None, lambda logits: logits.softmax(1), SHARES), (in_steps, None, FLAT)],
)
def test_a_fault_of_the_model_travels_with_what_the_attack_found(
    first: Callable[[Tensor], Tensor] | None, last: Callable[[Tensor], Tensor] | None, sign: str
) -> None:
    classifier, pixels, labels = planted(first, last)
    found = perturb(classifier, pixels, labels, "pgd(eps=0.02, steps=4)")
    assert [warning for warning in found.warnings if sign in warning] == list(found.warnings)
    assert len(found.warnings) == 1 and found.to_dict()["warnings"] == list(found.warnings)


def test_confidence_that_leaves_no_gradient_is_told_and_goes_with_the_ratio() -> None:
    classifier, pixels, labels = planted(last=overconfident)
    assert FLAT in " ".join(perturb(classifier, pixels, labels, "pgd(eps=0.02, steps=4)").warnings)
    assert not perturb(classifier, pixels, labels, "apgd(eps=0.02, steps=4, loss=dlr)").warnings


def test_squares_that_fool_what_the_gradient_does_not_are_told() -> None:
    classifier, pixels, labels = planted(first=in_steps)
    found = perturb(classifier, pixels, labels, "auto(eps=0.2, steps=2, queries=60)")
    assert any(SQUARES in warning for warning in found.warnings)


@pytest.mark.parametrize(
    "spec", ["fgsm", "pgd(eps=0.03)", "pgd(norm=l2, eps=0.3)", "auto(eps=0.03, steps=30, queries=30)"]
)
def test_a_healthy_attack_is_not_doubted(spec: str) -> None:
    classifier, pixels, labels = healthy(60)
    assert perturb(classifier, pixels, labels, spec).warnings == ()


def named(found: Adversarial) -> dict[str, bool]:
    return {check.name: check.is_warning for check in found.checks}


def test_steps_too_few_or_too_short_are_found_out() -> None:
    classifier, pixels, labels = healthy()
    found = check_attack(
        classifier, perturb(classifier, pixels, labels, "pgd(eps=0.1, steps=4, step=0.0005)"), queries=2
    )
    assert named(found)["more steps"] and "8 steps, twice as many" in found.warnings[0]


def test_a_gradient_that_misleads_is_found_out_by_a_budget_without_bounds_and_by_squares() -> None:
    classifier, pixels, labels = planted(first=in_steps)
    found = check_attack(classifier, perturb(classifier, pixels, labels, "pgd(eps=0.2, steps=3)"), queries=60)
    assert named(found) == {"more steps": False, "unbounded budget": True, "black box": True}
    assert len(found.warnings) == 3 and FLAT in found.warnings[0]
    assert found.to_dict()["warnings"] == list(found.warnings)


@pytest.mark.parametrize("spec", ["pgd(eps=0.03)", "pgd(norm=l2, eps=0.3, steps=20)", "apgd(eps=0.03, steps=50)"])
def test_an_attack_that_finds_what_there_is_passes_all_checks(spec: str) -> None:
    classifier, pixels, labels = healthy(40)
    found = check_attack(classifier, perturb(classifier, pixels, labels, spec), queries=60)
    assert found.warnings == () and list(named(found)) == ["more steps", "unbounded budget", "black box"]
    assert 0 < found.robust_accuracy < 1


def test_a_least_change_that_is_not_found_is_told() -> None:
    found = check_attack(linear_classifier(), perturb(linear_classifier(), tiny_image(), ["cat"], "deepfool"))
    assert found.warnings == () and "unbounded budget" in named(found)


def test_noise_has_nothing_to_be_checked() -> None:
    classifier, pixels, labels = healthy(10)
    assert check_attack(classifier, perturb(classifier, pixels, labels, "uniform-noise")).checks == ()


def test_where_nothing_is_left_the_checks_say_so() -> None:
    found = check_attack(linear_classifier(), perturb(linear_classifier(), tiny_image(), ["cat"], "pgd(eps=0.3)"))
    assert named(found) == {"more steps": False, "unbounded budget": False, "black box": False}
