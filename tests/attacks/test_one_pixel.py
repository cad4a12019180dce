"""The one-pixel attack: what one pixel can do to a plane, and what its evolution promises."""

import numpy as np
import pytest
import torch

from cnnlab.attacks import perturb
from cnnlab.attacks.draws import PictureDraws
from cnnlab.attacks.one_pixel import OnePixel
from cnnlab.attacks.problem import ClassProblem
from cnnlab.core.errors import SpecError
from cnnlab.testing import linear_classifier, tiny_image
from cnnlab.testing.model_tools import random_pixels, small_classifier


def test_it_finds_the_one_pixel_that_changes_the_class() -> None:
    # From cat to owl 1.00 is to be made up by weights of (−2, 2, 2, −2): the last pixel can fall by 1, the others move
    # by 1/2 at most; to dog, 1.75 by (0, 0, 3, −4). So it is the last, of a half or less.
    found = perturb(linear_classifier(), tiny_image(), ["cat"], "one-pixel(population=30)")
    assert found.fooled[0] and found.lengths("l0", is_rounded=False)[0] == 1
    changed = np.flatnonzero(found.pixels.ravel() != found.origin.ravel())
    assert changed.tolist() == [3] and found.pixels.ravel()[3] <= 0.5 + 1e-6
    assert found.backwards[0] == 0


def test_what_takes_two_pixels_is_not_done_by_one() -> None:
    # Dog has 4.25 to make up by (0, 0, 3, −4): the last pixel makes 4 at most, the third 3/4; owl has 3.50, and its two
    # best pixels make 3.
    classifier = linear_classifier()
    classifier.network.state_dict()["head.bias"].copy_(torch.tensor([2.5, 0, -1]))
    one = perturb(classifier, tiny_image(), ["cat"], "one-pixel(population=30, steps=10)")
    two = perturb(classifier, tiny_image(), ["cat"], "one-pixel(pixels=2, population=60, steps=30)")
    assert not one.fooled[0] and two.fooled[0]
    assert one.lengths("l0", is_rounded=False)[0] <= 1 and two.lengths("l0", is_rounded=False)[0] == 2


def test_colours_are_of_eight_bits_and_all_channels_of_a_pixel_change_together() -> None:
    classifier, pixels = small_classifier((3, 8, 8)).eval(), (random_pixels((3, 8, 8), 6) * 255).round() / 255
    with torch.no_grad():
        labels = classifier(pixels).argmax(1)
    found = perturb(classifier, pixels, labels, "one-pixel(pixels=3, population=20, steps=5)")
    assert found.norm == "l0" and found.eps == 3
    assert found.lengths("l0").max() <= 3
    np.testing.assert_allclose(found.pixels * 255, np.round(found.pixels * 255), atol=1e-4)
    np.testing.assert_array_equal(found.fooled, found.fooled_unrounded)


def test_more_generations_only_ever_fool_more() -> None:
    classifier, pixels = small_classifier((1, 8, 8)).eval(), random_pixels((1, 8, 8), 20)
    with torch.no_grad():
        labels = classifier(pixels).argmax(1)
    few = perturb(classifier, pixels, labels, "one-pixel(population=10, steps=1)")
    many = perturb(classifier, pixels, labels, "one-pixel(population=10, steps=20)")
    assert not (few.fooled & ~many.fooled).any() and many.fooled.sum() > few.fooled.sum()


def test_parents_are_three_different_members() -> None:
    pixels = torch.zeros(40, 1, 2, 2)
    problem = ClassProblem(
        lambda x: x.flatten(1), pixels, PictureDraws(0, range(40)), torch.zeros(40, dtype=torch.long), None
    )
    drawn: list[torch.Tensor] = []

    class Watched(OnePixel):
        """Keeps what its children are made of."""

    from cnnlab.attacks import one_pixel

    original = one_pixel._of

    def watched(members: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        drawn.append(places)
        return original(members, places)

    attack = Watched(population=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_pixel, "_of", watched)
        attack._children(problem, attack._drawn(problem))
    a, b, c = drawn
    assert ((a != b) & (b != c) & (a != c)).all()
    # Each of the 5·4·3 triples is as likely: some of 200 draws have every pair of the first two.
    assert len({(int(i), int(j)) for i, j in zip(a.flatten(), b.flatten(), strict=True)}) == 20


def test_it_needs_no_gradient() -> None:
    assert OnePixel.needs_gradient is False


def test_a_population_that_has_no_three_others_is_refused() -> None:
    with pytest.raises(SpecError, match="at least 4"):
        perturb(linear_classifier(), tiny_image(), ["cat"], "one-pixel(population=3)")
