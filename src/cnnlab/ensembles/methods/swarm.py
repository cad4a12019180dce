"""Weights found by a swarm of particles, by errors and by how much the members differ."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from cnnlab.core import seeds
from cnnlab.core.arguments import NonNegative, Range
from cnnlab.ensembles.combinations import AnyCombination, WeightedMean
from cnnlab.ensembles.member_outputs import MemberOutputs
from cnnlab.ensembles.methods.base import Combining, FittedOn, methods
from cnnlab.ensembles.particle_swarm import SwarmKind, minimise
from cnnlab.ensembles.weighted_losses import Array, weighted_losses

_LEAST = 1e-9


@methods.register("swarm")
@dataclass(frozen=True)
class Swarm(Combining):
    """Weights by particle swarm, judged by errors on validation and by the diversity of the members.

    Han, Yang, Ling and Huang, A novel diversity-guided ensemble of neural network based on attractive and repulsive
    particle swarm optimization (2015), weigh members by such a swarm with accuracy and diversity both in what it looks
    for. What is minimised here is::

        f(w) = E(w) - d · A(w),    A(w) = ½ Σₘ wₘ mean ‖pₘ - p‖²,    p = Σₘ wₘ pₘ

    with E the share of wrong decisions on validation, A the ambiguity of Krogh and Vedelsby (1995) and w a position of
    the swarm, M numbers from 0 to 1, divided by their sum. Of numbers E is their loss and A has no ½. These are
    decisions of this program: of the paper only its abstract could be had, and it gives neither the measure of
    diversity, nor how the two are weighed against each other, nor how the weights are kept convex. One particle begins
    at equal weights, so that on validation the result is never worse than these by f.

    :param kind: ``plain``, or ``attractive-repulsive``, in which particles go apart when they have come too close; the
        equations are those of :func:`~cnnlab.ensembles.particle_swarm.minimise`.
    :param diversity: d, what ambiguity counts against errors.
    :param temperature: whether each member's logits are first divided by a temperature fitted on validation.
    :param on: what is fitted on: ``validation``; or ``out-of-fold``, of members trained with folds the training
        pictures, each as the network told it that had not seen it.
    """

    kind: SwarmKind = "plain"
    diversity: NonNegative = 0.1
    particles: Annotated[int, Range(2, 10_000)] = 30
    iterations: Annotated[int, Range(1, 100_000)] = 100
    seed: Annotated[int, Range(0)] = 0
    temperature: bool = False
    on: FittedOn = "validation"

    def fit(self, outputs: MemberOutputs) -> AnyCombination:
        """The best place that the swarm came across."""
        losses, members = weighted_losses(outputs), len(outputs)
        draws = np.random.default_rng(seeds.derive(self.seed, "swarm"))
        start = draws.random((self.particles, members))
        start[0] = 1.0

        def judged(places: Array) -> Array:
            weights = _convex(places)
            value: Array = losses.errors(weights) - self.diversity * losses.ambiguities(weights)
            return value

        found = minimise(judged, 0.0, 1.0, start, draws, iterations=self.iterations, kind=self.kind)
        return WeightedMean(weights=tuple(map(float, _convex(found.position[None])[0])))


def _convex(places: Array) -> Array:
    """Rows with the sum 1; of a place where all are 0 equal weights."""
    raised = np.where(places.sum(axis=1, keepdims=True) < _LEAST, 1.0, places)
    convex: Array = raised / raised.sum(axis=1, keepdims=True)
    return convex
