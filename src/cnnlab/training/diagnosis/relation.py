"""Whether targets have anything to do with their pictures, as far as simple predictors can tell."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnlab.core.seeds import generator
from cnnlab.data import ImageSet
from cnnlab.objectives import Objective
from cnnlab.training.diagnosis.learning import some_of

_PICTURES = 1000
_SIDE = 16
_NEIGHBOURS = 10
_SHUFFLES = 199
_MOST_COLUMNS = 64
"""Of the encoded targets; of a thousand classes, so many random sums of columns."""


@dataclass(frozen=True)
class Relation:
    """What a permutation test says of two simple predictors: p values, each one-sided.

    :param pictures: how many were looked at.
    """

    neighbours: float
    ridge: float
    pictures: int
    shuffles: int = _SHUFFLES

    @property
    def is_seen(self) -> bool:
        """Whether one of the two predicts better than it would targets that were shuffled; told readily."""
        return min(self.neighbours, self.ridge) <= 0.1


def relation_of(images: ImageSet, objective: Objective) -> Relation:
    """Predicts up to 1,000 targets from pictures shrunk to 16×16, each from the others, and shuffled ones likewise.

    The ten nearest neighbours and ridge regression are both linear in the targets: with those of all pictures in ``E``,
    standardised, the predictions are ``H E``, and ``H`` hangs on the pictures alone, so a shuffle costs a product of
    matrices. What is compared is the sum of ``E * (H E)``. Ridge regression leaves each picture out by
    ``H_ij / (1 - H_ii)`` (Allen 1974); its penalty is the mean of the eigenvalues.
    """
    pictures, targets = some_of(images, _PICTURES)
    rows = _small(pictures)
    encoded = torch.cat([part.flatten(1).double() for part in objective.encode(targets).values()], 1)
    encoded = (encoded - encoded.mean(0)) / encoded.std(0).clamp_min(1e-12)
    source = generator(0, "relation")
    if encoded.shape[1] > _MOST_COLUMNS:
        encoded = encoded @ torch.randn(encoded.shape[1], _MOST_COLUMNS, generator=source, dtype=encoded.dtype)
    orders = [torch.randperm(len(rows), generator=source) for _ in range(_SHUFFLES)]
    near, ridge = (_share(smoother.float(), encoded.float(), orders) for smoother in (_nearest(rows), _ridge(rows)))
    return Relation(near, ridge, len(rows))


def _small(pictures: Tensor) -> Tensor:
    """Pictures as rows of few numbers, centred, float64."""
    side = min(_SIDE, pictures.shape[2]), min(_SIDE, pictures.shape[3])
    rows = F.adaptive_avg_pool2d(pictures.float(), side).flatten(1).double() / 255
    return rows - rows.mean(0)


def _nearest(rows: Tensor) -> Tensor:
    distances = torch.cdist(rows, rows)
    distances.fill_diagonal_(math.inf)
    near = distances.topk(min(_NEIGHBOURS, len(rows) - 1), largest=False).indices
    return torch.zeros_like(distances).scatter_(1, near, 1 / near.shape[1])


def _ridge(rows: Tensor) -> Tensor:
    gram = rows @ rows.T
    penalty = gram.diagonal().mean().clamp_min(1e-12)
    hat = torch.linalg.solve(gram + penalty * torch.eye(len(rows), dtype=gram.dtype), gram)
    held_out: Tensor = hat / (1 - hat.diagonal()).clamp_min(1e-6)[:, None]
    held_out.fill_diagonal_(0)
    return held_out


def _share(smoother: Tensor, encoded: Tensor, orders: list[Tensor]) -> float:
    """The share of targets, shuffled or as they are, that are predicted at least as well as these."""

    def agreement(rows: Tensor) -> float:
        return float((rows * (smoother @ rows)).sum())

    found = agreement(encoded)
    return (1 + sum(agreement(encoded[order]) >= found for order in orders)) / (1 + len(orders))
