"""Minimising a function that has no gradient by a swarm of particles, which may repel one another for a while."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
SwarmKind: TypeAlias = Literal["plain", "attractive-repulsive"]

_INERTIA, _PULL = 0.7298, 1.49618
"""Clerc and Kennedy, The particle swarm (2002): these converge without a bound on velocities."""
_FASTEST = 0.5
"""Of the width of the box in one step."""
_NARROW, _WIDE = 5e-6, 0.25
"""Riget and Vesterstrøm's bounds of the diversity at which the swarm turns."""
_REPELLED, _LAST = 0.3, 0.9
"""The share of all steps that may go apart, at the most, and the share after which none does."""


@dataclass(frozen=True)
class SwarmMinimum:
    """What a swarm found.

    :param position: D numbers; ``value`` the function there.
    :param turns: how often the swarm turned from attraction to repulsion.
    """

    position: Array
    value: float
    turns: int


def minimise(
    function: Callable[[Array], Array],
    low: float,
    high: float,
    start: Array,
    draws: np.random.Generator,
    *,
    iterations: int,
    kind: SwarmKind = "plain",
) -> SwarmMinimum:
    """The least value that a swarm comes across in a box.

    Kennedy and Eberhart, Particle swarm optimization (1995), with the whole swarm as neighbours: each particle at x,
    with velocity v, remembers its own best place p, and all know the best of these, g. In each step, for every
    coordinate with numbers u₁ and u₂ drawn from [0, 1)::

        v ← 0.7298 v + dir · 1.49618 · (u₁ (p - x) + u₂ (g - x)),    x ← x + v

    ``plain`` has dir = 1. ``attractive-repulsive`` (Riget and Vesterstrøm, A diversity-guided particle swarm optimizer,
    2002) turns to dir = -1 when the diversity of the swarm, the mean distance of its particles from their centre over
    the diagonal of the box, falls below 5·10⁻⁶, and back when it is above 0.25. Their bounds are kept; beyond them, no
    more than three tenths of all steps are repelled, the last tenth never, so that the search ends where it converges.
    Particles that leave the box stop at its wall.

    :param function: V×D positions to V values.
    :param start: V×D first positions.
    """
    width = high - low
    place, best = start.copy(), start.copy()
    velocity = width * (draws.random(start.shape) - 0.5) * _FASTEST
    values = best_values = function(place)
    direction, turns, repelled = 1, 0, 0
    for step in range(iterations):
        leader = best[best_values.argmin()]
        is_free = kind == "attractive-repulsive" and repelled < _REPELLED * iterations and step < _LAST * iterations
        turned = _direction(direction, _diversity(place, width)) if is_free else 1
        turns, direction = turns + (turned < direction), turned
        repelled += direction < 0
        own, common = draws.random(start.shape), draws.random(start.shape)
        pull = own * (best - place) + common * (leader - place)
        velocity = np.clip(_INERTIA * velocity + direction * _PULL * pull, -_FASTEST * width, _FASTEST * width)
        place = place + velocity
        outside = (place < low) | (place > high)
        place, velocity = np.clip(place, low, high), np.where(outside, 0.0, velocity)
        values = function(place)
        is_better = values < best_values
        best[is_better], best_values = place[is_better], np.where(is_better, values, best_values)
    found = int(best_values.argmin())
    return SwarmMinimum(best[found].copy(), float(best_values[found]), turns)


def _diversity(place: Array, width: float) -> float:
    apart = np.linalg.norm(place - place.mean(axis=0), axis=1).mean()
    return float(apart / (width * place.shape[1] ** 0.5))


def _direction(direction: int, diversity: float) -> int:
    if direction > 0 and diversity < _NARROW:
        return -1
    return 1 if direction < 0 and diversity > _WIDE else direction
