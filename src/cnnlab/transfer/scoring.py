"""How good predictions are, by the metrics that transfers are judged by."""

import torch
from torch import Tensor

from cnnlab.objectives import Objective
from cnnlab.transfer.fitting import Labels


def scores_of(objective: Objective, outputs: Tensor, labels: Labels) -> dict[str, float]:
    """Every metric of the objective by name.

    :param outputs: N×K; ``labels`` N class indices.
    """
    (column,) = objective.predicts
    return objective.metrics(outputs, {column: torch.from_numpy(labels)})
