"""Accuracy against budget: a running minimum, by hand on planes."""

import numpy as np
import pytest

from cnnlab.attacks import curve
from cnnlab.core.errors import UsageError
from cnnlab.testing import linear_classifier, tiny_image
from tests.attacks.planted_models import healthy, in_steps, planted

BUDGETS = (0.02, 0.04, 0.08, 0.16)


def test_a_picture_on_planes_is_fooled_from_its_distance_on() -> None:
    found = curve(linear_classifier(), "ifgsm", [0.2, 0.06, 0.12, 0.14], images=tiny_image(), labels=["cat"])
    assert found.budgets == (0.06, 0.12, 0.14, 0.2) and found.norm == "linf"
    assert found.robust_accuracy.tolist() == [1, 1, 0, 0] and found.least[0, 0] == 0.14
    assert found.clean_accuracy == 1


def test_the_curve_never_rises_where_single_steps_do() -> None:
    classifier, pixels, labels = healthy(60)
    found = curve(classifier, ["fgsm", "mifgsm(steps=3)"], BUDGETS, images=pixels, labels=labels)
    assert (np.diff(found.robust_accuracy) <= 0).all() and (np.diff(found.by_attack) <= 0).all()
    assert (np.diff(found.noise_accuracy) <= 0).all()
    assert found.robust_accuracy[-1] < found.clean_accuracy == 1
    assert (found.robust_accuracy <= found.by_attack.min(0)).all()
    assert found.attacks == ("fgsm", "mifgsm(steps=3)")


def test_pictures_that_are_wrong_count_as_lost_at_every_budget() -> None:
    classifier, pixels, labels = healthy(20)
    wrong = labels.clone()
    wrong[:5] = (wrong[:5] + 1) % 3
    found = curve(classifier, "fgsm", [1e-6], images=pixels, labels=wrong)
    assert found.clean_accuracy == found.robust_accuracy[0] == found.noise_accuracy[0] == 0.75
    assert (found.least[0, :5] == 0).all()


def test_noise_of_the_same_size_stands_beside_it_with_intervals() -> None:
    classifier, pixels, labels = healthy(60)
    found = curve(classifier, "pgd(steps=5)", BUDGETS, images=pixels, labels=labels)
    assert (found.noise_accuracy >= found.robust_accuracy).all()
    assert found.noise_accuracy[-1] > found.robust_accuracy[-1]
    for share, interval in zip(found.robust_accuracy, found.intervals, strict=True):
        assert interval is not None and share in interval and interval.width > 0
    told = found.to_dict()
    assert told["robust_accuracy"] == found.robust_accuracy.tolist() and len(told["noise_intervals"]) == 4
    assert not found.warnings


def test_the_lengths_of_least_changes_are_compared_with_the_budgets() -> None:
    # To the plane it is 1/4 in L2; what is found lies a little beyond.
    found = curve(linear_classifier(), "deepfool", [0.2, 0.24, 0.3], images=tiny_image(), labels=["cat"])
    assert found.norm == "l2" and found.robust_accuracy.tolist() == [1, 1, 0]
    assert 0.25 <= found.least[0, 0] < 0.3


def test_noise_that_fools_what_the_attack_does_not_is_told() -> None:
    classifier, pixels, labels = planted(first=in_steps, count=60)
    found = curve(classifier, "ifgsm(steps=2)", [0.5, 1.0], images=pixels, labels=labels)
    assert any("Noise of the same size fooled" in warning for warning in found.warnings)


def test_wrong_attacks_and_budgets_are_told() -> None:
    classifier, image = linear_classifier(), tiny_image()
    with pytest.raises(UsageError, match="measured in one norm"):
        curve(classifier, ["pgd", "pgd(norm=l2)"], images=image, labels=["cat"])
    with pytest.raises(UsageError, match="measured in none of them"):
        curve(classifier, "salt-and-pepper", images=image, labels=["cat"])
    for wrong in ([], [0.0], [-1.0, 0.1], [float("inf")]):
        with pytest.raises(UsageError, match="above 0"):
            curve(classifier, "pgd", wrong, images=image, labels=["cat"])
    with pytest.raises(UsageError, match="labels= says"):
        curve(classifier, "pgd", images=image)
