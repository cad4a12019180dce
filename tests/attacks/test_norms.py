"""Lengths, balls and projections, held to numbers worked by hand and to properties."""

import numpy as np
import pytest
import torch

from cnnlab.attacks.draws import PictureDraws
from cnnlab.attacks.norms import AnyNorm, Norm, drawn_within, length, movable, project, steepest, within

NORMS: tuple[Norm, ...] = ("linf", "l2", "l1")


def picture(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float32).view(1, 1, 1, -1)


def test_lengths_of_a_perturbation_worked_by_hand() -> None:
    change = picture(3, -4, 0, 0)
    lengths: tuple[AnyNorm, ...] = (*NORMS, "l0")
    assert [float(length(change, norm)) for norm in lengths] == [4, 5, 7, 2]


def test_pixels_changed_are_counted_once_for_all_channels() -> None:
    change = torch.zeros(1, 3, 2, 2)
    change[0, :, 0, 0] = 0.5
    change[0, 1, 1, 1] = -0.5
    assert float(length(change, "l0")) == 2


@pytest.mark.parametrize(
    ("norm", "wanted"),
    [("linf", (2, -2, 1)), ("l2", (3 * 2 / 5, -4 * 2 / 5, 0)), ("l1", (0.5, -1.5, 0))],
)
def test_a_projection_worked_by_hand(norm: Norm, wanted: tuple[float, ...]) -> None:
    change = picture(3, -4, 1) if norm == "linf" else picture(3, -4, 0)
    torch.testing.assert_close(project(change, norm, 2.0), picture(*wanted))


def test_what_lies_in_the_ball_stays_as_it_is() -> None:
    change = torch.rand(5, 2, 3, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    for norm in NORMS:
        torch.testing.assert_close(project(change, norm, 100.0), change)


def test_no_point_of_the_l1_ball_is_nearer_than_the_projection() -> None:
    draw = torch.Generator().manual_seed(1)
    change = torch.randn(1, 1, 1, 6, generator=draw, dtype=torch.float64)
    nearest = project(change, "l1", 1.0)
    assert float(length(nearest, "l1")) == pytest.approx(1.0)
    # A projection onto a convex set is the one point from which all others lie behind its plane.
    others = torch.distributions.Dirichlet(torch.full((6,), 0.3, dtype=torch.float64)).sample((2000,))
    others = others * (2 * torch.randint(2, others.shape, generator=draw) - 1)
    angles = ((change - nearest).view(6) * (others - nearest.view(6))).sum(1)
    assert float(angles.max()) < 1e-9


@pytest.mark.parametrize("norm", NORMS)
def test_the_steepest_direction_of_length_one_gains_the_dual_length_of_the_gradient(norm: Norm) -> None:
    gradient = picture(3, -4, 1)
    direction = steepest(gradient, norm)
    assert float(length(direction, norm)) == pytest.approx(1)
    dual = {"linf": "l1", "l2": "l2", "l1": "linf"}[norm]
    assert float((direction * gradient).sum()) == pytest.approx(float(length(gradient, dual)))  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", NORMS)
def test_a_gradient_of_nothing_leads_nowhere(norm: Norm) -> None:
    assert not steepest(torch.zeros(2, 1, 3, 3), norm).any()


@pytest.mark.parametrize("norm", NORMS)
def test_what_is_drawn_fills_the_ball_evenly(norm: Norm) -> None:
    draws = PictureDraws(0, range(4000))
    drawn = drawn_within(draws, torch.zeros(4000, 1, 1, 3), norm, 0.5)
    lengths = length(drawn, norm).numpy()
    assert lengths.max() <= 0.5 + 1e-6
    # A ball of half the radius has an eighth of the volume in three dimensions.
    assert np.mean(lengths < 0.25) == pytest.approx(1 / 8, abs=0.02)
    assert float(drawn.mean(0).abs().max()) < 0.02


@pytest.mark.parametrize("norm", NORMS)
def test_pictures_are_brought_into_the_ball_and_into_the_range_of_pixels(norm: Norm) -> None:
    draw = torch.Generator().manual_seed(2)
    origin = torch.rand(50, 1, 4, 4, generator=draw)
    changed = within(origin + torch.randn(50, 1, 4, 4, generator=draw), origin, norm, 0.3)
    assert changed.min() >= 0 and changed.max() <= 1
    assert float(length(changed - origin, norm).max()) <= 0.3 + 1e-5


def test_a_projection_onto_the_l1_ball_and_the_range_of_pixels_worked_by_hand() -> None:
    # From (0.5, 0.4) in a room of (0.1, 0.5): less 0.2 each is (0.1, 0.2), the first cut off by its room, 0.3 together.
    origin = picture(0.9, 0.5)
    torch.testing.assert_close(within(origin + picture(0.5, 0.4), origin, "l1", 0.3), origin + picture(0.1, 0.2))


def test_no_picture_in_the_l1_ball_and_the_range_is_nearer_than_the_projection() -> None:
    draw = torch.Generator().manual_seed(3)
    origin = torch.rand(20, 1, 1, 6, generator=draw, dtype=torch.float64)
    pixels = origin + torch.randn(20, 1, 1, 6, generator=draw, dtype=torch.float64)
    nearest = within(pixels, origin, "l1", 0.7)
    assert float(length(nearest - origin, "l1").max()) <= 0.7 + 1e-9
    shares = torch.distributions.Dirichlet(torch.full((6,), 0.3, dtype=torch.float64)).sample((500,))
    others = 0.7 * shares * (2 * torch.randint(2, shares.shape, generator=draw) - 1)
    for own, far, begin in zip(nearest.view(20, 6), pixels.view(20, 6), origin.view(20, 6), strict=True):
        # Clipped to the range, a point of the ball stays in it.
        angles = ((far - own) * ((begin + others).clamp(0, 1) - own)).sum(1)
        assert float(angles.max()) < 1e-9


def test_in_l1_a_share_of_the_numbers_is_moved_alike() -> None:
    gradient = picture(3, -4, 1, 0.5)
    torch.testing.assert_close(steepest(gradient, "l1", 0.5), picture(0.5, -0.5, 0, 0))
    both = torch.cat([gradient, gradient])
    wanted = torch.cat([picture(0, -1, 0, 0), picture(0.25, -0.25, 0.25, 0.25)])
    torch.testing.assert_close(steepest(both, "l1", torch.tensor([0.0, 1.0])), wanted)


def test_numbers_at_the_end_of_the_range_are_not_moved_beyond() -> None:
    torch.testing.assert_close(movable(picture(1, 1, -1, -1), picture(1, 0, 1, 0)), picture(0, 1, -1, 0))


def test_the_least_gradients_have_a_direction_too() -> None:
    torch.testing.assert_close(steepest(picture(3e-30, -4e-30), "l2"), picture(0.6, -0.8))
