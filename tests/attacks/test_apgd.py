"""APGD, held to planes worked by hand, to the schedule of its paper, and to what every attack promises."""

import numpy as np
import pytest
import torch

from cnnlab.attacks import perturb
from cnnlab.attacks.climbs import HalvingClimb, SparseClimb
from cnnlab.attacks.norms import Norm
from cnnlab.core.errors import SpecError
from cnnlab.testing import linear_classifier, tiny_image
from tests.attacks.planted_models import healthy, overconfident, planted, two_classes

SPECS = (
    "apgd(norm=linf, eps=0.05, steps=12)",
    "apgd(norm=l2, eps=0.5, loss=dlr, steps=12, restarts=2)",
    "apgd(norm=l1, eps=1.5, steps=12)",
    "apgd-t(norm=linf, eps=0.05, steps=8)",
    "apgd-t(norm=l1, eps=1.5, steps=12, classes=1)",
)


def test_step_sizes_are_looked_at_after_the_steps_that_the_paper_names() -> None:
    assert list(HalvingClimb.checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert list(HalvingClimb.checkpoints(100).values()) == [22, 19, 16, 13, 10, 7, 6, 6]
    assert list(HalvingClimb.checkpoints(10)) == [3, 5, 6, 7, 8, 9]
    assert list(SparseClimb.checkpoints(100)) == list(range(4, 100, 4))


def climbed(*losses: float) -> HalvingClimb:
    """A picture that takes a step by a gradient of 1, and finds these losses on the way."""
    origin = torch.full((1, 1, 1, 1), 0.5)
    way = HalvingClimb(torch.arange(1), origin, "linf", 0.25, 100)
    for place, loss in enumerate(losses):
        if place:
            way.move(origin)
        way.arrive(torch.tensor([loss]), torch.ones_like(origin))
    return way


def test_a_step_that_raises_the_loss_three_times_in_four_stays_as_long() -> None:
    way = climbed(1, 2, 3, 4, 3.5)
    way.adapt(way.pixels, 4)
    assert way.step.item() == 0.5 and way.loss.item() == 3.5


def test_a_step_that_raises_it_less_often_is_halved_and_goes_on_from_the_best() -> None:
    way = climbed(1, 2, 1, 1.5, 1)
    best = way.best
    way.adapt(way.pixels, 4)
    assert way.step.item() == 0.25 and way.loss.item() == 2
    assert way.pixels is not best and torch.equal(way.pixels, best)


def test_a_step_that_finds_nothing_better_twice_is_halved_however_it_rises() -> None:
    way = climbed(5, 1, 2, 3, 4)
    way.adapt(way.pixels, 4)
    assert way.step.item() == 0.25


def test_the_first_step_is_twice_the_budget_and_the_next_keep_a_quarter_of_the_one_before() -> None:
    origin = torch.full((1, 1, 1, 1), 0.5)
    way = HalvingClimb(torch.arange(1), origin, "linf", 0.25, 100)
    way.arrive(torch.tensor([0.0]), torch.ones_like(origin))
    way.move(origin)
    assert way.pixels.item() == 0.75
    way.arrive(torch.tensor([0.0]), -torch.ones_like(origin))
    way.move(origin)
    # Aimed at 0.25: three quarters of the way there from 0.75, and a quarter of the step of 0.25 before.
    assert way.pixels.item() == pytest.approx(0.75 - 0.75 * 0.5 + 0.25 * 0.25)


@pytest.mark.parametrize("spec", ["apgd(eps=0.12)", "apgd(eps=0.12, loss=dlr)", "apgd-t(eps=0.12)"])
def test_what_stays_right_on_planes_is_as_near_to_fooling_as_the_budget_allows(spec: str) -> None:
    # Owl is nearest, 1/8 away; all pixels go by its signs.
    found = perturb(linear_classifier(), tiny_image(), ["cat"], spec)
    np.testing.assert_allclose(found.pixels[0, 0], [[0.13, 0.62], [0.87, 0.88]], atol=1e-5)
    assert found.robust_accuracy_unrounded == 1


@pytest.mark.parametrize(("norm", "distance"), [("linf", 1 / 8), ("l2", 1 / 4), ("l1", 7 / 16)])
def test_a_plane_is_crossed_within_any_budget_beyond_its_distance_and_none_below(norm: Norm, distance: float) -> None:
    # In L1 dog is nearest: 7/4 are to be made up by the pixel that counts 4.
    for times, robust in ((0.97, 1), (1.03, 0)):
        spec = f"apgd-t(norm={norm}, eps={distance * times}, steps=40)"
        assert perturb(linear_classifier(), tiny_image(), ["cat"], spec).robust_accuracy_unrounded == robust


@pytest.mark.parametrize("spec", SPECS)
def test_pictures_stay_in_their_budget_and_do_not_depend_on_their_batch(spec: str) -> None:
    classifier, pixels, labels = healthy(24)
    whole = perturb(classifier, pixels, labels, spec)
    assert whole.norm in ("linf", "l2", "l1") and whole.eps is not None and whole.fooled.any()
    assert whole.lengths(whole.norm, is_rounded=False).max() <= whole.eps * (1 + 1e-5) + 1e-6
    assert whole.pixels.min() >= 0 and whole.pixels.max() <= 1
    order = torch.arange(len(labels)).flip(0)
    parts = perturb(classifier, pixels[order], labels[order], spec, batch_size=7, pictures=order.tolist())
    np.testing.assert_allclose(parts.pixels[::-1], whole.pixels, atol=1e-4)


def test_in_l1_it_fools_at_least_what_plain_steps_fool() -> None:
    classifier, pixels, labels = healthy(40)
    plain = perturb(classifier, pixels, labels, "pgd(norm=l1, eps=1.5, steps=30)")
    auto = perturb(classifier, pixels, labels, "apgd(norm=l1, eps=1.5, steps=30)")
    assert auto.fooled.sum() >= plain.fooled.sum() > 0


def test_confidence_stops_the_cross_entropy_and_not_the_ratio() -> None:
    classifier, pixels, labels = planted(last=overconfident)
    by_entropy = perturb(classifier, pixels, labels, "apgd(eps=0.1, steps=10)")
    by_ratio = perturb(classifier, pixels, labels, "apgd(eps=0.1, steps=10, loss=dlr)")
    assert by_ratio.fooled.sum() > by_entropy.fooled.sum()


def test_with_two_classes_ratio_and_cross_entropy_are_one_attack() -> None:
    classifier, pixels, labels = two_classes()
    found = [
        perturb(classifier, pixels, labels, spec).fooled
        for spec in ("apgd(eps=0.05, steps=30)", "apgd(eps=0.05, loss=dlr, steps=30)", "apgd-t(eps=0.05, steps=30)")
    ]
    assert found[0].any()
    np.testing.assert_array_equal(found[1], found[2])
    np.testing.assert_array_equal(found[0], found[1])


def test_with_a_target_it_alone_is_aimed_at() -> None:
    classifier, pixels, labels = healthy()
    targets = ((labels + 1) % 3).tolist()
    found = perturb(classifier, pixels, labels, "apgd-t(eps=0.3, steps=20)", targets=targets)
    assert found.success > 0.9
    np.testing.assert_array_equal(found.kept.predicted[found.fooled], np.array(targets)[found.fooled])


@pytest.mark.parametrize("spec", ["apgd(loss=hinge)", "apgd(steps=0)", "apgd-t(classes=0)", "apgd(eps=-1)"])
def test_wrong_arguments_are_told(spec: str) -> None:
    with pytest.raises(SpecError):
        perturb(linear_classifier(), tiny_image(), ["cat"], spec)
