"""The objective: everything about a training that depends on what is predicted, behind one interface."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from cnnlab.core.registry import Registry

Targets: TypeAlias = Mapping[str, Tensor]
"""Named columns, each of length N: int64 class indices, or float32 numbers."""
Columns: TypeAlias = Mapping[str, tuple[str, ...] | None]
"""The target columns of a data set, with the class names of those that hold classes."""
Direction: TypeAlias = Literal["higher", "lower"]

objectives: Registry["Objective"] = Registry("objective", given=("columns",))


def build(spec: object, columns: Columns) -> "Objective":
    """The objective that ``spec`` names, for a data set with these target columns.

    :raises UsageError: when the columns do not suit it.
    """
    bound = objectives.bind(spec)
    objective = bound.build(columns=columns)
    objective.spec = str(bound)
    return objective


def canonical(spec: object) -> str:
    """The canonical text of an objective's spec."""
    return str(objectives.bind(spec))


class Objective(ABC):
    """What a network predicts and how that is scored.

    The network's output is one tensor N×``outputs``, the heads side by side in the order of ``heads``.
    """

    spec: str = ""
    heads: Mapping[str, int]
    """Width of each head by name."""
    soft: bool = False
    """Whether encoded targets may be blended, as mixup does."""
    measured: tuple[str, ...] = ("loss",)
    """The names of what :meth:`metrics` gives."""
    tallied: tuple[str, ...] = ()
    """The names of what :meth:`tally` gives."""
    select: str = "loss"
    """The validation metric that chooses the best epoch unless the recipe names another."""

    @property
    def outputs(self) -> int:
        """The width of all heads together."""
        return sum(self.heads.values())

    def split(self, outputs: Tensor) -> dict[str, Tensor]:
        """The outputs of each head, as views of N×``outputs``."""
        parts = torch.split(outputs, list(self.heads.values()), dim=1)
        return dict(zip(self.heads, parts, strict=True))

    def better(self, metric: str) -> Direction:
        """Whether a higher or a lower value of the metric is the better one."""
        return "lower" if metric == "loss" or metric.endswith(("_loss", "_error")) else "higher"

    @abstractmethod
    def encode(self, targets: Targets) -> dict[str, Tensor]:
        """Targets as the loss wants them: for each head a float tensor N×K, which mixing may blend."""

    @abstractmethod
    def loss(self, outputs: Tensor, encoded: Targets, weights: Targets | None = None) -> Tensor:
        """One loss for each of N samples.

        :param weights: for each head a weight for each of its K classes, where classes are weighted.
        """

    @abstractmethod
    def tally(self, outputs: Tensor, encoded: Targets) -> dict[str, Tensor]:
        """Sums over the samples of what is followed while training, such as how many were right, left on the device."""

    @abstractmethod
    def decode(self, outputs: Tensor) -> dict[str, Tensor]:
        """The predicted value of each target column."""

    @abstractmethod
    def probabilities(self, outputs: Tensor) -> dict[str, Tensor]:
        """Probabilities N×K for each head that has them."""

    @abstractmethod
    def metrics(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """Every metric of these outputs, ``loss`` among them."""

    def smooth(self, encoded: Targets, amount: float) -> dict[str, Tensor]:
        """Encoded targets with label smoothing, for the heads that hold classes.

        Szegedy and others, Rethinking the Inception Architecture (2016), section 7: (1 - ε) y + ε / K.
        """
        return {name: y * (1 - amount) + amount / y.shape[1] for name, y in encoded.items()}
