"""The swarms on functions whose minima are known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnnlab.ensembles.particle_swarm import SwarmKind, SwarmMinimum, minimise

Array = np.ndarray[Any, np.dtype[np.float64]]


def sphere(places: Array) -> Array:
    """0 at the origin."""
    return (places**2).sum(axis=1)


def rastrigin(places: Array) -> Array:
    """0 at the origin, and about ten other minima in each direction."""
    return (places**2 - 10 * np.cos(2 * np.pi * places) + 10).sum(axis=1)


def search(function: Callable[[Array], Array], kind: SwarmKind, seed: int, iterations: int) -> SwarmMinimum:
    draws = np.random.default_rng(seed)
    # Not about the middle, where a swarm that merely shrinks would end.
    start = draws.uniform(1, 5, (40, 5))
    return minimise(function, -5.12, 5.12, start, draws, iterations=iterations, kind=kind)


@pytest.mark.parametrize("kind", ["plain", "attractive-repulsive"])
def test_the_minimum_of_a_sphere_is_always_found(kind: SwarmKind) -> None:
    assert all(search(sphere, kind, seed, 200).value < 1e-6 for seed in range(20))


def test_success_rates_in_five_dimensions_of_rastrigin() -> None:
    rates = {
        kind: np.mean([search(rastrigin, kind, seed, 600).value < 1e-4 for seed in range(30)])
        for kind in ("plain", "attractive-repulsive")
    }
    # 14 and 22 of 30, from starts that leave the minimum outside.
    assert rates["plain"] >= 0.4 and rates["attractive-repulsive"] >= 0.65


def test_only_the_swarm_that_may_repel_does() -> None:
    assert search(sphere, "plain", 0, 300).turns == 0
    assert search(sphere, "attractive-repulsive", 0, 300).turns > 0


def test_a_position_is_within_the_box_and_has_the_value_told() -> None:
    found = search(lambda places: -places.sum(axis=1), "plain", 0, 100)
    assert found.position.tolist() == [5.12] * 5 and found.value == pytest.approx(-25.6)


def test_the_same_draws_give_the_same_minimum() -> None:
    first, second, other = (search(rastrigin, "attractive-repulsive", seed, 50) for seed in (3, 3, 4))
    assert first.value == second.value != other.value
