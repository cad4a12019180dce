"""How good weighted means of members are on validation: what weights are fitted by."""

from abc import ABC, abstractmethod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from cnnlab.ensembles.member_outputs import MemberOutputs

Array: TypeAlias = npt.NDArray[np.float64]
_LEAST = 1e-300
_ROUNDED = 1 + 1e-6
_AT_ONCE = 32


class WeightedLosses(ABC):
    """Losses of weighted means of M members on the same pictures.

    Weights are V rows of M numbers, not negative, each row with the sum 1; what comes back are V numbers.
    """

    members: int

    @abstractmethod
    def losses(self, weights: Array) -> Array:
        """The mean loss over the pictures."""

    @abstractmethod
    def with_gradient(self, weights: Array) -> tuple[float, Array]:
        """The loss of one row of weights, which need not have the sum 1, and its derivatives."""

    @abstractmethod
    def errors(self, weights: Array) -> Array:
        """The share of wrong decisions; for numbers the loss."""

    @abstractmethod
    def ambiguities(self, weights: Array) -> Array:
        """How far members are from what they say together: the weighted mean of squared distances, half of it for
        probabilities, so that it is 1 at the most (Krogh and Vedelsby 1995, equation 5).
        """

    @abstractmethod
    def with_one_more(self, counts: Array, by: str) -> Array:
        """The ``loss`` or ``error`` after each of the M members is added in turn to those that ``counts`` tells."""


class LogLosses(WeightedLosses):
    """Of heads that tell classes apart: the mean of their probabilities is judged by the logarithm of the right one's.

    Several heads count alike; their losses are added up, and their errors averaged.
    """

    def __init__(self, outputs: MemberOutputs) -> None:
        self.members, self.count = len(outputs), outputs.count
        # Classes before pictures: comparisons then run along the pictures.
        self._by_class = [
            np.ascontiguousarray(outputs.probabilities[head].numpy().transpose(0, 2, 1)) for head in outputs.labels
        ]
        labels = [column.numpy() for column in outputs.labels.values()]
        places = np.arange(self.count)
        self._right = np.concatenate(
            [rows[:, column, places] for rows, column in zip(self._by_class, labels, strict=True)], axis=1
        ).astype(np.float64)
        self._right_short = self._right.astype(np.float32)
        self._gram: Array | None = None

    def losses(self, weights: Array) -> Array:
        """The log loss in nats."""
        return self._of_right(np.atleast_2d(weights) @ self._right)

    def with_gradient(self, weights: Array) -> tuple[float, Array]:
        """In closed form."""
        mixed = np.maximum(weights @ self._right, _LEAST)
        return float(self._of_right(mixed)), -(self._right @ (1 / mixed)) / self.count

    def errors(self, weights: Array) -> Array:
        """The mean of :meth:`wrong`."""
        rows = np.atleast_2d(weights)
        # A few rows of weights at a time: what they come to is as large as that many members.
        parts = [self.wrong(rows[start : start + _AT_ONCE]) for start in range(0, len(rows), _AT_ONCE)]
        errors: Array = np.concatenate([part.mean(axis=(0, 2)) for part in parts])
        return errors

    def wrong(self, weights: Array) -> npt.NDArray[np.bool_]:
        """Where another class has a higher probability than the right one, heads×V×N."""
        short = np.atleast_2d(weights).astype(np.float32)
        mixed = [
            (short @ rows.reshape(self.members, -1)).reshape(len(short), *rows.shape[1:]) for rows in self._by_class
        ]
        return _wrong(mixed, (short @ self._right_short).reshape(len(short), len(mixed), -1))

    def ambiguities(self, weights: Array) -> Array:
        """From the members' products with each other, once for all weights."""
        if self._gram is None:
            flat = [rows.reshape(self.members, -1) for rows in self._by_class]
            self._gram = sum((rows @ rows.T).astype(np.float64) for rows in flat) / (self.count * len(flat))
        weights = np.atleast_2d(weights)
        own, together = weights @ np.diag(self._gram), np.einsum("vm,mk,vk->v", weights, self._gram, weights)
        ambiguity: Array = (own - together) / 2
        return ambiguity

    def with_one_more(self, counts: Array, by: str) -> Array:
        """All candidates at once, from the sum over those chosen."""
        total = counts.sum() + 1
        if by == "loss":
            return self._of_right(((counts @ self._right)[None] + self._right) / total)
        mixed = [np.tensordot(counts.astype(np.float32), rows, 1)[None] + rows for rows in self._by_class]
        summed = (counts.astype(np.float32) @ self._right_short)[None] + self._right_short
        errors: Array = _wrong(mixed, summed.reshape(self.members, len(mixed), -1)).mean(axis=(0, 2))
        return errors

    def _of_right(self, mixed: Array) -> Array:
        losses: Array = -np.log(np.maximum(mixed, _LEAST)).sum(axis=-1) / self.count
        return losses


def _wrong(mixed: list[npt.NDArray[np.float32]], right: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """From what each class comes to, V×K×N a head, and what the right one does, V×heads×N."""
    # What the right class comes to was added up in another order.
    return np.stack([rows.max(axis=1) > right[:, head] * _ROUNDED for head, rows in enumerate(mixed)])


class OutputLosses(WeightedLosses):
    """Of whatever else is predicted: the members' combination is judged by the loss of the objective."""

    def __init__(self, outputs: MemberOutputs) -> None:
        self.members, self._objective = len(outputs), outputs.objective
        self._outputs = outputs.outputs.double()
        self._encoded = {head: rows.double() for head, rows in self._objective.encode(outputs.targets).items()}

    def losses(self, weights: Array) -> Array:
        """One after the other."""
        return np.array([self._loss(torch.from_numpy(row)).item() for row in np.atleast_2d(weights)])

    def with_gradient(self, weights: Array) -> tuple[float, Array]:
        """By automatic differentiation."""
        shares = torch.tensor(weights, requires_grad=True)
        loss = self._loss(shares)
        (gradient,) = torch.autograd.grad(loss, shares)
        return loss.item(), gradient.numpy()

    def errors(self, weights: Array) -> Array:
        """The loss itself."""
        return self.losses(weights)

    def ambiguities(self, weights: Array) -> Array:
        """Of the raw outputs."""
        found = []
        for row in np.atleast_2d(weights):
            shares = torch.from_numpy(row)
            apart = self._outputs - torch.einsum("mnk,m->nk", self._outputs, shares)
            found.append((shares @ apart.square().sum(2).mean(1)).item())
        return np.array(found)

    def with_one_more(self, counts: Array, by: str) -> Array:
        """One after the other."""
        return self.losses((counts + np.eye(self.members)) / (counts.sum() + 1))

    def _loss(self, shares: torch.Tensor) -> torch.Tensor:
        return self._objective.loss(self._objective.mixture(self._outputs, shares), self._encoded).mean()


def weighted_losses(outputs: MemberOutputs) -> WeightedLosses:
    """The losses of these members: the log loss where every head tells classes apart, else the objective's own."""
    is_of_classes = set(outputs.labels) == set(outputs.objective.heads) == set(outputs.probabilities)
    return LogLosses(outputs) if is_of_classes else OutputLosses(outputs)
