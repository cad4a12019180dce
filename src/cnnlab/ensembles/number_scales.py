"""Outputs of a model that standardised its numbers by its own training pictures, in the scale of another."""

import torch
from torch import Tensor

from cnnlab.objectives import Objective


def rescaled_outputs(objective: Objective, outputs: Tensor, wanted: Objective) -> Tensor:
    """Raw outputs N×K as a model would give them that scales numbers as ``wanted``; what is no number is as it was."""
    if objective.scales == wanted.scales:
        return outputs
    parts = objective.split(outputs)
    for head, (mean, std) in wanted.scales.items():
        own_mean, own_std = objective.scales[head]
        parts[head] = (parts[head] * own_std + (own_mean - mean)) / std
    return torch.cat(list(parts.values()), dim=1)
