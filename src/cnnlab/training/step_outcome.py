"""What is followed of one optimisation step."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class StepOutcome:
    """What is followed of one step, left on the device: the mean loss and sums over its samples."""

    samples: int
    loss: Tensor
    sums: dict[str, Tensor]
