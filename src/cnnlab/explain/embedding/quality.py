"""What a map keeps of the codes that it is made of: neighbours, and how well classes are apart, in both."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.evaluation import Interval, wilson

NEIGHBOURS = 10
_CHUNK_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class ClassSeparation:
    """How well classes are apart among some points.

    :param right: bool, n: whether most of the nearest neighbours of a point are of its class; each is told by the
        others (leave-one-out k-NN, the first of equal classes).
    :param silhouettes: n, from −1 to 1: how much nearer a point is to its own class than to the next one, by mean
        distances (Rousseeuw 1987); 0 for the only one of its class.
    :param labels: n, the classes.
    """

    right: NDArray[np.bool_]
    silhouettes: NDArray[np.float64]
    labels: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """The share of points whose neighbours say their class."""
        return float(self.right.mean())

    @cached_property
    def interval(self) -> Interval | None:
        """Of the accuracy, over pictures (Wilson)."""
        return wilson(int(self.right.sum()), len(self.right))

    @property
    def silhouette(self) -> float:
        """The mean over points."""
        return float(self.silhouettes.mean())

    def by_class(self, classes: int) -> NDArray[np.float64]:
        """The mean silhouette of each class; nan for one without points."""
        counts = np.bincount(self.labels, minlength=classes)
        sums = np.bincount(self.labels, self.silhouettes, classes)
        means: NDArray[np.float64] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        return means


@dataclass(frozen=True, eq=False)
class MapQuality:
    """What a map keeps, beside what there was to keep.

    :param neighbours: k, of all these numbers.
    :param trustworthiness: from 0 to 1: whether points that are neighbours on the map are so among the codes (Venna
        and Kaski 2001); 1 where all are, about 1/2 for a map drawn by lot.
    :param codes, plane: separation of the classes among the codes and on the map; None where no classes are known.
    """

    neighbours: int
    trustworthiness: float
    codes: ClassSeparation | None
    plane: ClassSeparation | None


def map_quality(
    codes: NDArray[Any], positions: NDArray[Any], labels: NDArray[np.int64] | None = None, k: int = NEIGHBOURS
) -> MapQuality:
    """Of all points, exactly; distances are worked out a stretch of rows at a time.

    :param codes: N×D; ``positions`` N×2, of the same pictures.
    :param labels: N classes, from 0.
    :param k: neighbours; fewer where there are not twice as many points.
    """
    k = max(1, min(k, (len(codes) - 1) // 2))
    plane = _neighbourhoods(positions, labels, k)
    space = _neighbourhoods(codes, labels, k, ranked=plane.nearest)
    n = len(codes)
    # Ranks from 1; what is no neighbour among the codes counts by how far down it comes.
    excess = np.clip(space.ranks - k, 0, None).sum()
    trust = 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * float(excess)
    return MapQuality(k, trust, _separation(space, labels), _separation(plane, labels))


@dataclass(frozen=True, eq=False)
class _Neighbourhoods:
    """:param nearest: n×k places, the nearest first. :param sums: n×K, distances to the points of each class.

    :param ranks: n×k, at which place, from 1, the points asked about come.
    """

    nearest: NDArray[np.int64]
    sums: NDArray[np.float64]
    ranks: NDArray[np.int64]


def _neighbourhoods(
    points: NDArray[Any], labels: NDArray[np.int64] | None, k: int, ranked: NDArray[np.int64] | None = None
) -> _Neighbourhoods:
    # Near the origin less is lost where two large squares are subtracted.
    points = points - points.mean(0)
    squares = np.einsum("ij,ij->i", points, points)
    members = None if labels is None else np.eye(int(labels.max()) + 1, dtype=points.dtype)[labels]
    size = max(1, _CHUNK_BYTES // (points.itemsize * len(points)))
    nearest, sums, ranks = [], [], []
    for start in range(0, len(points), size):
        rows = slice(start, start + size)
        distances = squares[rows, None] + squares - 2 * points[rows] @ points.T
        np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
        own = np.arange(len(distances))
        distances[own, start + own] = 0
        if members is not None:
            sums.append(distances @ members)
        distances[own, start + own] = np.inf
        if ranked is not None:
            asked = np.take_along_axis(distances, ranked[rows], axis=1)
            ranks.append(np.stack([(distances < column[:, None]).sum(1) + 1 for column in asked.T], axis=1))
        few = np.argpartition(distances, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(distances, few, axis=1), axis=1, kind="stable")
        nearest.append(np.take_along_axis(few, order, axis=1))
    return _Neighbourhoods(
        np.concatenate(nearest),
        np.concatenate(sums).astype(np.float64) if sums else np.empty((len(points), 0)),
        np.concatenate(ranks) if ranks else np.empty((len(points), 0), np.int64),
    )


def _separation(found: _Neighbourhoods, labels: NDArray[np.int64] | None) -> ClassSeparation | None:
    if labels is None:
        return None
    classes = found.sums.shape[1]
    votes = (labels[found.nearest][:, :, None] == np.arange(classes)).sum(1)
    return ClassSeparation(votes.argmax(1) == labels, _silhouettes(found.sums, labels), labels)


def _silhouettes(sums: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    counts = np.bincount(labels, minlength=sums.shape[1])
    rows = np.arange(len(labels))
    own = sums[rows, labels] / np.maximum(counts[labels] - 1, 1)
    others = sums / np.maximum(counts, 1)
    others[:, counts == 0] = np.inf
    others[rows, labels] = np.inf
    next_ = others.min(1)
    larger = np.maximum(own, next_)
    is_told = (counts[labels] > 1) & np.isfinite(next_) & (larger > 0)
    values: NDArray[np.float64] = np.where(is_told, np.where(is_told, next_ - own, 0) / np.where(is_told, larger, 1), 0)
    return values
