"""Attacks one after another: the worst case, with as few classes as there may be."""

import numpy as np
import pytest

from cnnlab.attacks import perturb
from tests.attacks.planted_models import healthy, in_steps, planted, two_classes


def test_it_fools_whatever_its_first_attack_fools_and_what_the_others_add() -> None:
    classifier, pixels, labels = healthy(60)
    alone = perturb(classifier, pixels, labels, "apgd(eps=0.03, steps=20)")
    found = perturb(classifier, pixels, labels, "auto(eps=0.03, steps=20, queries=30)")
    np.testing.assert_array_equal(found.fooled & (found.by == 0), alone.fooled)
    assert found.fooled.sum() > alone.fooled.sum()
    assert ((found.by >= 0) == found.fooled).all()


def test_robust_accuracy_falls_from_attack_to_attack_to_what_is_told() -> None:
    classifier, pixels, labels = healthy(60)
    found = perturb(classifier, pixels, labels, "auto(eps=0.03, steps=20, queries=30)")
    stages = found.stages
    assert list(stages) == ["apgd-ce", "apgd-dlr", "apgd-t", "square"]
    assert 1 > stages["apgd-ce"] >= stages["apgd-dlr"] >= stages["apgd-t"] >= stages["square"] == found.robust_accuracy
    assert stages["apgd-ce"] > stages["apgd-t"]
    assert found.to_dict()["stages"] == stages
    assert "stages" not in perturb(classifier, pixels, labels, "fgsm").to_dict()


def test_what_the_gradient_does_not_find_the_squares_do() -> None:
    classifier, pixels, labels = planted(first=in_steps)
    found = perturb(classifier, pixels, labels, "auto(eps=0.2, steps=3, queries=60)")
    assert found.fooled.sum() > 3 and set(found.by[found.fooled]) <= {0, 1, 2, 3}
    assert (found.by == 3).any()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_two_classes_are_enough(norm: str) -> None:
    classifier, pixels, labels = two_classes(12)
    eps = {"linf": 0.1, "l2": 0.8, "l1": 3}[norm]
    found = perturb(classifier, pixels, labels, f"auto(norm={norm}, eps={eps}, steps=5, queries=5)")
    assert found.fooled.any()


def test_with_a_target_all_its_attacks_go_for_it() -> None:
    classifier, pixels, labels = healthy(20)
    found = perturb(classifier, pixels, labels, "auto(eps=0.2, steps=10, queries=20, target=second)")
    assert found.targets is not None and found.success > 0.5
    np.testing.assert_array_equal(found.kept.predicted[found.fooled], found.targets[found.fooled])
