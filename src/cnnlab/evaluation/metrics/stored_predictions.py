"""What is taken from stored predictions alone: the objective, its outputs, and every metric of it."""

import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.objectives import Objective, restore_objective
from cnnlab.runs import Predictions


def metrics_of(predictions: Predictions) -> dict[str, float]:
    """Every metric of the objective by name, ``loss`` among them, and ``n``, the number of pictures.

    :raises UsageError: when the targets are not known.
    """
    objective = objective_of(predictions)
    check_targets(predictions, objective)
    targets = {name: torch.from_numpy(column) for name, column in predictions.targets.items()}
    outputs = torch.cat([torch.from_numpy(predictions.outputs[head]) for head in objective.heads], dim=1)
    return objective.metrics(outputs, targets) | {"n": len(predictions)}


def objective_of(predictions: Predictions) -> Objective:
    """The objective that says what the outputs mean."""
    return restore_objective(predictions.objective, predictions.classes)


def check_targets(predictions: Predictions, objective: Objective) -> None:
    """Refuses predictions of which nobody knows what was right.

    :raises UsageError: naming the split.
    """
    if not set(objective.predicts) <= set(predictions.targets):
        raise UsageError(f"the targets of {predictions.split} are not known, so nothing can be said of its mistakes.")


def finite_outputs(predictions: Predictions, objective: Objective) -> Tensor:
    """The outputs of all heads side by side, N×K float64: two sure predictions are still told apart.

    :raises UsageError: when some of them are not finite.
    """
    outputs = torch.cat([torch.from_numpy(predictions.outputs[head]).double() for head in objective.heads], dim=1)
    if not torch.isfinite(outputs).all():
        raise UsageError(f"some outputs stored for {predictions.split} are not finite, so they say nothing.")
    return outputs
