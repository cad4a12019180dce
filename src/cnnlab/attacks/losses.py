"""What attacks climb besides the loss of a training: losses that no confidence of the model makes flat."""

import torch
from torch import Tensor

_TINY = 1e-12


def logit_ratio(outputs: Tensor, labels: Tensor, targets: Tensor | None = None) -> Tensor:
    """The difference-of-logits ratio (DLR), N: over 0 where the model is fooled (Croce & Hein 2020, equations 6 and 7).

    The margin of another class over the right one, divided by how far the largest logits lie apart, so that neither a
    shift nor a scale of the logits changes it. With the logits in order, z₁ the largest:

    - for any wrong class the divisor is z₁ − z₃, and for a target z₁ − (z₃ + z₄)/2;
    - with three classes and a target there is no z₄, and z₁ − z₃ would leave no gradient where the target is the third:
      z₁ − (z₂ + z₃)/2 is taken;
    - with two classes there is nothing to divide by, for the margin over itself is ±1: it is the margin. Steps go by
      the direction of the gradient alone, which is that of the cross-entropy then.

    :param outputs: logits N×K, K at least 2.
    :param targets: the class that each is to be taken for, N; None for the likeliest wrong one.
    """
    own = outputs.gather(1, labels[:, None])[:, 0]
    if targets is None:
        other = outputs.scatter(1, labels[:, None], -torch.inf).amax(1)
    else:
        other = outputs.gather(1, targets[:, None])[:, 0]
    if outputs.shape[1] == 2:
        return other - own
    largest = outputs.topk(min(4, outputs.shape[1]), 1).values
    lower = largest[:, 2] if targets is None else largest[:, -2:].mean(1)
    return (other - own) / (largest[:, 0] - lower + _TINY)
