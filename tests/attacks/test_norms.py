"""Lengths, balls and projections, held to numbers worked by hand and to properties."""

import numpy as np
import pytest
import torch

from cnnlab.attacks.draws import PictureDraws
from cnnlab.attacks.norms import AnyNorm, Norm, drawn_within, length, project, steepest, within

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
