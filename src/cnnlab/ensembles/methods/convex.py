"""Weights with the least loss on validation."""

from dataclasses import dataclass

import numpy as np

from cnnlab.core.errors import UsageError
from cnnlab.ensembles.combinations import AnyCombination, WeightedMean
from cnnlab.ensembles.member_outputs import MemberOutputs
from cnnlab.ensembles.methods.base import Combining, FittedOn, methods
from cnnlab.ensembles.weighted_losses import Array, WeightedLosses, weighted_losses

_NOTHING = 1e-7
"""Weights below this are what is left of rounding."""
_EXACT, _STEPS = 1e-12, 500


@methods.register("weights")
@dataclass(frozen=True)
class Weights(Combining):
    """Convex weights, not negative and with the sum 1, of which the mean has the least log loss on validation.

    Of numbers it is the loss that they were trained by. Both are convex in the weights, so there is one best value.

    :param temperature: whether each member's logits are first divided by a temperature fitted on validation.
    :param on: what is fitted on: ``validation``; or ``out-of-fold``, of members trained with folds the training
        pictures, each as the network told it that had not seen it.
    """

    temperature: bool = False
    on: FittedOn = "validation"

    def fit(self, outputs: MemberOutputs) -> AnyCombination:
        """By sequential quadratic programming."""
        return WeightedMean(weights=tuple(map(float, best_weights(weighted_losses(outputs)))))


def best_weights(losses: WeightedLosses) -> Array:
    """The convex weights with the least loss.

    :raises UsageError: where no finite loss is found.
    """
    from scipy.optimize import minimize

    start = np.full(losses.members, 1 / losses.members)
    found = minimize(
        losses.with_gradient,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * losses.members,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones_like(w)},
        options={"maxiter": _STEPS, "ftol": _EXACT},
    )
    weights = np.where(found.x > _NOTHING, found.x, 0.0)
    if not np.isfinite(weights).all() or not weights.sum() > 0:
        raise UsageError("no weights with a finite loss on validation were found. Take method=mean.")
    weights /= weights.sum()
    # Where the search was stopped early, equal weights may still be the better ones.
    best: Array = weights if losses.losses(weights)[0] <= losses.losses(start)[0] else start
    return best
