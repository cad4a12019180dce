"""An objective of one head: what it gives as named heads, its subclasses work out on plain tensors."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.objectives.base import Objective
from cnnlab.objectives.columns import Targets
from cnnlab.objectives.distances import distances, middle, shares_within
from cnnlab.objectives.own import Rows
from cnnlab.objectives.quantity import NumberHead, Quantity


class Single(Objective):
    """One head over one target; subclasses override what stands below the line of abstract methods.

    :param name: of the head.
    :param width: how many outputs it has.
    """

    def __init__(self, name: str, width: int) -> None:
        self.name = name
        self.heads = {name: width}

    @property
    def width(self) -> int:
        """How many outputs the head has."""
        return self.heads[self.name]

    def encode(self, targets: Targets) -> dict[str, Tensor]:
        """The target of the one head."""
        return {self.name: self.target(targets)}

    def loss(self, outputs: Tensor, encoded: Targets, weights: Targets | None = None) -> Tensor:
        """One loss for each of N samples, in float32 at least."""
        if self.own_loss is not None:
            return self.own_loss(_full(outputs), encoded[self.name])
        weight = None if weights is None else weights.get(self.name)
        return self.losses(_full(outputs), encoded[self.name], weight)

    def for_loss(self, outputs: Tensor, encoded: Targets) -> tuple[Rows, Rows]:
        """Those of the one head."""
        return _full(outputs), encoded[self.name]

    def for_metrics(self, outputs: Tensor, targets: Targets) -> tuple[Rows, Rows]:
        """The outputs and the classes, N×K and N."""
        return outputs, targets[self.predicts[0]]

    def tally(self, outputs: Tensor, encoded: Targets) -> dict[str, Tensor]:
        """Sums over the samples."""
        return self.sums(_full(outputs), encoded[self.name])

    def probabilities(self, outputs: Tensor) -> dict[str, Tensor]:
        """Probabilities of the one head, where it has them; in float32 at least."""
        likelihoods = self.likelihoods(_full(outputs))
        return {} if likelihoods is None else {self.name: likelihoods}

    def from_log_probabilities(self, logarithms: Mapping[str, Tensor]) -> Tensor:
        """Outputs of the one head.

        :raises UsageError: where it has no probabilities.
        """
        if self.name not in logarithms:
            raise UsageError(f"{self.name} is predicted as a number, which has no probabilities.")
        return self.logits(logarithms[self.name])

    def confidences(self, outputs: Tensor) -> dict[str, Tensor]:
        """How sure the head is, for each column that it predicts."""
        sure = self.sureness(_full(outputs))
        return {} if sure is None else dict.fromkeys(self.predicts, sure)

    def labels(self, targets: Targets) -> dict[str, tuple[Tensor, int]]:
        """The classes of the samples, where the head tells classes apart."""
        labels = self.classed(targets)
        return {} if labels is None else {self.name: labels}

    def smooth(self, encoded: Targets, amount: float) -> dict[str, Tensor]:
        """Label smoothing.

        :raises UsageError: where there are no labels to smooth.
        """
        if not self.smooths:
            raise UsageError(f"label_smoothing needs classes, and {self.name} is predicted as a number. Leave it out.")
        return {self.name: self.softened(encoded[self.name], amount)}

    def mixture(self, members: Tensor, shares: Tensor) -> Tensor:
        """The weighted mean of the outputs."""
        return torch.einsum("mnk,m->nk", members, shares)

    @property
    @abstractmethod
    def tables(self) -> Mapping[str, Sequence[float] | None]:
        """For each predicted column that holds classes, the numbers that these stand for, None where for none."""

    @property
    @abstractmethod
    def sizes(self) -> Mapping[str, int]:
        """For each predicted column that holds classes, how many."""

    @abstractmethod
    def support(self, outputs: Tensor, candidates: Targets) -> Tensor:
        """How well each of M rows of targets agrees with each of N outputs: a log-likelihood N×M.

        Each sample's is up to a constant of its own.
        """

    @abstractmethod
    def target(self, targets: Targets) -> Tensor:
        """What the outputs are compared with: float32, N×``width``."""

    @abstractmethod
    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """One loss for each of N samples.

        :param weight: one for each class that the head tells apart.
        """

    def sums(self, outputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Sums over the samples of what is followed while training."""
        return {}

    def likelihoods(self, outputs: Tensor) -> Tensor | None:
        """Probabilities N×K."""
        return None

    def logits(self, logarithms: Tensor) -> Tensor:
        """Outputs N×``width`` whose :meth:`likelihoods` have these logarithms N×K."""
        return logarithms

    def sureness(self, outputs: Tensor) -> Tensor | None:
        """How sure each prediction is, from 0 to 1, N."""
        likelihoods = self.likelihoods(outputs)
        return None if likelihoods is None else likelihoods.max(1).values

    def classed(self, targets: Targets) -> tuple[Tensor, int] | None:
        """The class of each sample, and how many classes there are."""
        return None

    def softened(self, target: Tensor, amount: float) -> Tensor:
        """The target with label smoothing."""
        return target * (1 - amount) + amount / target.shape[1]


class Numeric(Single):
    """One head that predicts a number, which may be made of several columns.

    :param period: of a number that goes round a circle; the distance of two is then the shorter way around.
    """

    def __init__(self, quantity: Quantity, width: int, period: float | None = None) -> None:
        super().__init__(quantity.name, width)
        self.quantity, self.period = quantity, period
        self.predicts = quantity.columns
        self.settled: dict[str, Any] = {"column": quantity.column, "units": quantity.units}

    @property
    def number_heads(self) -> Mapping[str, NumberHead]:
        """Its one head."""
        return {self.name: self}

    @property
    def tables(self) -> Mapping[str, Sequence[float] | None]:
        """The numbers that classes stand for, in each column that holds any."""
        pairs = zip(self.quantity.columns, self.quantity.tables, strict=True)
        return {name: table for name, table in pairs if table is not None}

    @property
    def sizes(self) -> Mapping[str, int]:
        """How many classes there are, in each column that holds any."""
        pairs = zip(self.quantity.columns, self.quantity.tables, strict=True)
        return {name: len(table) for name, table in pairs if table is not None}

    @abstractmethod
    def value(self, outputs: Tensor) -> Tensor:
        """The predicted number, N, in the precision of the outputs."""

    def for_metrics(self, outputs: Tensor, targets: Targets) -> tuple[Rows, Rows]:
        """The predicted and the true number, N each."""
        return self.value(outputs), self.quantity.of(targets)

    def numbers(self, outputs: Tensor) -> dict[str, Tensor]:
        """What the number amounts to in each column."""
        return self.quantity.apart(self.value(outputs), self.period)

    def decode(self, outputs: Tensor) -> dict[str, Tensor]:
        """What the number amounts to in each column, rounded to its classes where it holds classes."""
        return self.quantity.decode(self.value(outputs), self.period)

    def errors(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """Mean and median distance from the true number."""
        apart = self._apart(outputs, targets)
        return {"mean_absolute_error": apart.mean().item(), "median_absolute_error": middle(apart)}

    def shares(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """The share of predictions that are off by at most 1, 5 and 10."""
        return shares_within(self._apart(outputs, targets))

    def _apart(self, outputs: Tensor, targets: Targets) -> Tensor:
        truth = self.quantity.of(targets)
        return distances(self.value(outputs).double().to(truth.device), truth, self.period)


def log_mixture(likelihoods: Tensor, shares: Tensor) -> Tensor:
    """The logarithm of the weighted mean of probabilities that are given by their logarithms, M×…, with shares M."""
    share = shares.log().view(-1, *[1] * (likelihoods.dim() - 1))
    return torch.logsumexp(likelihoods + share, dim=0)


def _full(outputs: Tensor) -> Tensor:
    return outputs if outputs.dtype in (torch.float32, torch.float64) else outputs.float()
