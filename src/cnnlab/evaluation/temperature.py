"""The temperature that logits are divided by, so that a model is as sure as it is right."""

import numpy as np
import torch
from torch import Tensor

_LOWEST, _HIGHEST = 1 / 64, 64.0
_STEPS = 60
_CLOSE = 1e-9


def best_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature with the least log loss.

    Guo and others, On Calibration of Modern Neural Networks (2017), section 4.2. The log loss is convex in 1 over the
    temperature, where Newton's method finds it. Temperatures stay within 1/64 and 64: that of a model that is never
    wrong has no least one.

    :param logits: N×K; ``labels`` N class indices.
    """
    rows = logits.double()
    exact = (rows - rows.amax(1, keepdim=True)).T.contiguous().numpy()
    right = exact[labels.numpy(), np.arange(exact.shape[1])].mean()
    low, high = 1 / _HIGHEST, 1 / _LOWEST
    inverse = 1.0
    for _ in range(_STEPS):
        likely = np.exp(inverse * exact)
        likely /= likely.sum(axis=0)
        mean = (likely * exact).sum(axis=0)
        slope = mean.mean() - right
        curvature = ((likely * exact**2).sum(axis=0) - mean**2).mean()
        # What is known of where the least loss lies keeps a step that is too long from leaving it.
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / curvature if curvature > 0 else high if slope < 0 else low
        nearer = step if low < step < high else (low * high) ** 0.5
        if abs(nearer - inverse) <= _CLOSE * inverse:
            break
        inverse = nearer
    return float(1 / inverse)


def two_logits(rows: Tensor) -> Tensor:
    """One output for the second of two classes as a logit for each."""
    return torch.cat([torch.zeros_like(rows), rows], dim=1) if rows.shape[1] == 1 else rows
