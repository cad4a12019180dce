"""Squares: a black box that keeps to its budget, its queries and its places."""

import numpy as np
import pytest
import torch

from cnnlab.attacks import perturb
from cnnlab.attacks.square import _coloured, _gathered, _window
from tests.attacks.planted_models import healthy, in_steps, planted

SPECS = ("square(eps=0.2, queries=30)", "square(norm=l2, eps=1, queries=30)", "square(norm=l1, eps=3, queries=30)")


@pytest.mark.parametrize("spec", SPECS)
def test_pictures_stay_in_their_budget_and_do_not_depend_on_their_batch(spec: str) -> None:
    classifier, pixels, labels = healthy()
    whole = perturb(classifier, pixels, labels, spec)
    assert whole.norm in ("linf", "l2", "l1") and whole.eps is not None and whole.fooled.any()
    assert whole.lengths(whole.norm, is_rounded=False).max() <= whole.eps * (1 + 1e-5) + 1e-6
    assert whole.pixels.min() >= 0 and whole.pixels.max() <= 1
    order = torch.arange(len(labels)).flip(0)
    parts = perturb(classifier, pixels[order], labels[order], spec, batch_size=7, pictures=order.tolist())
    np.testing.assert_allclose(parts.pixels[::-1], whole.pixels, atol=1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_more_queries_fool_all_that_fewer_do_and_more(norm: str) -> None:
    classifier, pixels, labels = healthy(60)
    eps = {"linf": 0.2, "l2": 0.7}[norm]
    fooled = [
        perturb(classifier, pixels, labels, f"square(norm={norm}, eps={eps}, queries={queries})").fooled
        for queries in (1, 15, 60)
    ]
    assert not (fooled[0] & ~fooled[1]).any() and not (fooled[1] & ~fooled[2]).any()
    assert fooled[2].sum() > fooled[0].sum()


def test_the_model_is_asked_no_more_often_than_allowed_and_never_for_a_gradient() -> None:
    classifier, pixels, labels = healthy()
    found = perturb(classifier, pixels, labels, "square(eps=0.02, queries=40)")
    left = found.right & ~found.fooled
    assert left.any() and found.backwards.sum() == 0
    # Where a picture fools the model as computed it is asked about once more, rounded.
    assert (found.forwards[left] >= 40).all() and found.forwards[left].min() == 40


def test_the_first_picture_is_in_stripes_of_the_whole_budget() -> None:
    classifier, pixels, labels = healthy(10)
    found = perturb(classifier, 0.25 + pixels / 2, labels, "square(eps=0.05, queries=1)")
    change = (found.pixels - found.origin)[found.right]
    np.testing.assert_allclose(np.abs(change), 0.05, atol=1e-6)
    np.testing.assert_allclose(change, change[:, :, :1].repeat(8, 2), atol=1e-6)


def test_a_model_without_any_gradient_is_fooled_where_the_gradient_finds_nothing() -> None:
    classifier, pixels, labels = planted(first=in_steps)
    by_gradient = perturb(classifier, pixels, labels, "ifgsm(eps=0.2)")
    black = perturb(classifier, pixels, labels, "square(eps=0.2, queries=100)")
    assert by_gradient.fooled.sum() == 0 and black.fooled.sum() > 3


def test_squares_lie_anywhere_and_whole() -> None:
    down, across = torch.rand(2, 300, generator=torch.Generator().manual_seed(0))
    windows = _window(down, across, 3, 5, 7)
    assert (windows.flatten(1).sum(1) == 9).all()
    assert windows.any(0).all()


def test_a_square_takes_a_colour_and_leaves_the_rest() -> None:
    origin = torch.full((1, 2, 4, 4), 0.5)
    numbers = torch.tensor([[0.0, 0.99, 0, 0, 0, 0.2, 0.8]])
    changed = _coloured(origin, origin, 0.125, 2, numbers)
    wanted = origin.clone()
    wanted[0, 0, :2, 2:], wanted[0, 1, :2, 2:] = 0.375, 0.625
    torch.testing.assert_close(changed, wanted)


def test_in_l2_a_square_takes_its_change_from_another() -> None:
    draw = torch.Generator().manual_seed(0)
    origin = torch.full((6, 1, 8, 8), 0.5)
    change = torch.randn(6, 1, 8, 8, generator=draw)
    change = 0.3 * change / change.flatten(1).norm(dim=1)[:, None, None, None]
    numbers = torch.rand(6, 6, generator=draw)
    # The first square at the top left, the second at the bottom right.
    numbers[:, :4] = torch.tensor([0.0, 0.0, 0.99, 0.99])
    moved = _gathered(origin + change, origin, "l2", 0.3, 3, numbers) - origin
    assert float(moved[:, :, 5:, 5:].abs().max()) == 0
    torch.testing.assert_close(moved.flatten(1).norm(dim=1), torch.full((6,), 0.3))
    torch.testing.assert_close(moved[:, :, :3, 3:5], change[:, :, :3, 3:5])
    before = (change[:, :, :3, :3] ** 2).flatten(1).sum(1) + (change[:, :, 5:, 5:] ** 2).flatten(1).sum(1)
    torch.testing.assert_close((moved[:, :, :3, :3] ** 2).flatten(1).sum(1), before, rtol=1e-3, atol=1e-5)
