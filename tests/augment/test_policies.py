"""Policies: who gets what, and how far, against what the pure functions make of it."""

import numpy as np
import pytest
import torch
from scipy import stats

from cnnlab.augment import Info, pipeline
from cnnlab.augment.policies import LEVELS, MENU, RandAugment, Trivial

COUNT = 14000


def random_images(count, side):
    return torch.randint(0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def choices(policy, shape=(3, 24, 32)):
    return policy._choices(torch.Generator().manual_seed(0), Info(COUNT, shape, 0, torch.arange(COUNT)))


def test_every_operation_of_the_menu_is_as_likely():
    counts = [len(who) for who, _ in choices(Trivial()).values()]
    assert sum(counts) == COUNT and len(counts) == len(MENU) == 14
    assert stats.chisquare(counts).pvalue > 1e-4


def test_trivial_draws_all_31_strengths_and_both_signs():
    _, angle = choices(Trivial())["rotate"]
    levels = (angle.abs() / 135 * LEVELS).round().int().numpy()
    assert stats.chisquare(np.bincount(levels, minlength=31)).pvalue > 1e-4
    assert stats.binomtest(int((angle[levels > 0] > 0).sum()), int((levels > 0).sum())).pvalue > 1e-4


def test_randaugment_has_one_strength_and_both_signs():
    _, angle = choices(RandAugment(m=9))["rotate"]
    torch.testing.assert_close(angle.abs(), torch.full_like(angle, 9.0))
    assert 0.4 < (angle > 0).float().mean() < 0.6


def test_a_round_leaves_those_as_they_were_that_drew_the_identity_or_a_strength_of_nothing():
    # Grey values from 64 to 191, which can be stretched and evened out.
    images, augment = (random_images(1400, 24) // 2 + 64).float() / 255, pipeline("trivial")
    info = Info(1400, (3, 24, 24), 0, torch.arange(1400))
    result, _ = augment.apply(images.clone(), {}, augment.draw(torch.Generator().manual_seed(0), info))
    is_same = ((result - images).abs() < 1e-4).flatten(1).all(1)
    drawn = Trivial()._choices(torch.Generator().manual_seed(0), info)
    # An amount of 0, all eight bits, a threshold above every value.
    does_nothing = {
        name: amount == 0 for name, (_, amount) in drawn.items() if name not in ("autocontrast", "equalize")
    }
    does_nothing["posterize"] = drawn["posterize"][1].round() == 8
    does_nothing["solarize"] = drawn["solarize"][1] > 191 / 255
    for name, (who, _) in drawn.items():
        expected = does_nothing.get(name, torch.zeros(len(who), dtype=torch.bool))
        assert torch.equal(is_same[who], expected), name
    assert stats.binomtest(len(drawn["identity"][0]), 1400, 1 / 14).pvalue > 1e-4


def test_randaugment_repeats_n_times():
    images = random_images(500, 24) // 2 + 64

    def unchanged(spec):
        result = pipeline(spec)(images, {}, seed=0, epoch=0, step=0, ids=torch.arange(500))[0]
        return int(((result - images.float() / 255).abs() < 1e-4).flatten(1).all(1).sum())

    # At this strength the identity alone, one of fourteen, changes nothing: expected are 36, and less than one.
    assert stats.binomtest(unchanged("randaugment(1, 20)"), 500, 1 / 14).pvalue > 1e-4
    assert stats.binomtest(unchanged("randaugment(3, 20)"), 500, 1 / 14**3).pvalue > 1e-4


@pytest.mark.parametrize("spec", ["trivial", "randaugment(3, 20)"])
def test_every_choice_works_on_a_single_image(spec):
    image, augment = random_images(1, 8), pipeline(spec)
    for step in range(60):
        result, _ = augment(image, {}, seed=0, epoch=0, step=step, ids=torch.arange(1))
        assert result.shape == image.shape and result.min() >= 0 and result.max() <= 1


def test_grey_images_have_no_saturation_to_change():
    images, augment = torch.rand(64, 1, 8, 8), pipeline("trivial")
    info = Info(64, (1, 8, 8), 0, torch.arange(64))
    result, _ = augment.apply(images, {}, augment.draw(torch.Generator().manual_seed(1), info))
    who, _ = Trivial()._choices(torch.Generator().manual_seed(1), info)["saturation"]
    assert len(who) > 0
    torch.testing.assert_close(result[who], images[who])
