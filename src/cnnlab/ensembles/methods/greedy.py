"""Ensemble selection: members taken one after another, each as often as it helps."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from cnnlab.core import seeds
from cnnlab.core.arguments import Range
from cnnlab.ensembles.combinations import AnyCombination, WeightedMean
from cnnlab.ensembles.member_outputs import MemberOutputs
from cnnlab.ensembles.methods.base import Combining, FittedOn, methods
from cnnlab.ensembles.weighted_losses import Array, WeightedLosses, weighted_losses

Criterion = Literal["loss", "error"]
_ENOUGH = 1e-12
"""A gain below this is rounding."""


@methods.register("greedy")
@dataclass(frozen=True)
class Greedy(Combining):
    """Members added one at a time, with replacement, each time the one with the best mean on validation.

    Caruana and others, Ensemble selection from libraries of models (2004): selection with replacement (2.2), of the
    ensembles on the way the best one, the smallest of equals; and with ``bags`` above 1 the mean of that many
    selections, each from a random half of the members (2.3). The first of equally good members is taken.

    :param size: how many are added, members more than once among them.
    :param bags: how many selections; 1 is from all members.
    :param by: ``loss``, the log loss, or for numbers their own; or ``error``, the share of wrong decisions.
    :param temperature: whether each member's logits are first divided by a temperature fitted on validation.
    :param on: what is fitted on: ``validation``; or ``out-of-fold``, of members trained with folds the training
        pictures, each as the network told it that had not seen it.
    """

    size: Annotated[int, Range(1, 10_000)] = 25
    bags: Annotated[int, Range(1, 10_000)] = 1
    by: Criterion = "loss"
    share: Annotated[float, Range(0, 1, open_low=True)] = 0.5
    seed: Annotated[int, Range(0)] = 0
    temperature: bool = False
    on: FittedOn = "validation"

    def fit(self, outputs: MemberOutputs) -> AnyCombination:
        """The mean over the bags of how often each was taken."""
        losses, members = weighted_losses(outputs), len(outputs)
        counts = [selection(losses, self._bag(number, members), self.size, self.by) for number in range(self.bags)]
        weights = np.mean([each / each.sum() for each in counts], axis=0)
        return WeightedMean(weights=tuple(map(float, weights)))

    def _bag(self, number: int, members: int) -> Array:
        """Who may be taken, M."""
        allowed = np.ones(members, dtype=np.float64)
        if self.bags > 1:
            draws = np.random.default_rng(seeds.derive(self.seed, "bag", number))
            left_out = members - max(1, round(self.share * members))
            allowed[draws.permutation(members)[:left_out]] = 0
        return allowed


def selection(losses: WeightedLosses, allowed: Array, size: int, by: Criterion) -> Array:
    """How often each member is in the best ensemble that is come across, M.

    :param allowed: 1 for the members that may be taken, else 0.
    """
    counts = np.zeros(losses.members)
    best, least = counts, np.inf
    for _ in range(size):
        after = np.where(allowed > 0, losses.with_one_more(counts, by), np.inf)
        counts = counts + np.eye(losses.members)[after.argmin()]
        if after.min() < least - _ENOUGH:
            best, least = counts, after.min()
    return best
