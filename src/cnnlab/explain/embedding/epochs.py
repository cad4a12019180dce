"""Maps over the epochs of a run, from the weights that it kept, so aligned that a class keeps its place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import open_model, predictor_of
from cnnlab.explain.embedding.embed import Embedding, MapMaker
from cnnlab.explain.embedding.pictures import pictures_of
from cnnlab.explain.embedding.projections import PROJECTIONS, Points
from cnnlab.models import OwnNetwork
from cnnlab.runs import Run

ALIGNMENT = (
    "Each map starts from the one before it and is then turned, mirrored and moved to lie on it (Procrustes), never "
    "stretched: where a class stands can be followed, and turns that mean nothing are gone."
)


@dataclass(frozen=True, eq=False)
class EmbeddingOverEpochs:
    """A map of the same pictures for each epoch.

    :param maps: in the order of their epochs.
    """

    maps: tuple[Embedding, ...]

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs, 0 for before the first."""
        return tuple(one.epoch or 0 for one in self.maps)

    @property
    def movements(self) -> tuple[float, ...]:
        """From each map to the next, how far classes move: root mean square of the way of their centres, in units of
        the spread of the map that they come to. Empty where no classes are known.
        """
        if self.maps[0].labels is None:
            return ()
        return tuple(movement(a.positions, b.positions, self.maps[0].labels) for a, b in pairwise(self.maps))


def embed_epochs(
    run: "Run | str | Path",
    epochs: Sequence[int] | None = None,
    images: Any = None,
    *,
    split: str = "test",
    layer: str | None = None,
    method: str = "tsne",
    seed: int = 0,
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
    network: OwnNetwork | None = None,
    **which: Any,
) -> EmbeddingOverEpochs:
    """Maps of the same pictures by the weights of several epochs, each aligned with the one before it.

    :param run: a training whose recipe had ``snapshots``.
    :param epochs: those whose weights were kept, all of them by default. Other parameters as for
        :func:`~cnnlab.explain.embed`.
    :param which: pictures, as there too: ``column``, ``labels``, ``most``, ``data_dir``.
    :raises UsageError: for what is no training, or has kept the weights of one epoch only.
    """
    opened = open_model(run, network=network, offline=offline)
    if not isinstance(opened, Run):
        raise UsageError("maps over epochs are of a run, which has kept weights on the way; a model by itself has one.")
    opened.check_trained()
    wanted = sorted(set(opened.stored_epochs if epochs is None else epochs))
    if len(wanted) < 2:
        raise UsageError(
            f"run {opened.name} has the weights of one epoch, and a map over epochs needs two or more. Train with "
            "snapshots=[0, 1, 3] in the recipe, and those are kept; 0 is before the first."
        )
    pictures = pictures_of(opened, images, split=split, seed=seed, offline=offline, **which)
    maker = MapMaker(pictures, PROJECTIONS.bind(method), layer, seed, threads)
    template = predictor_of(opened, device=device, network=network)
    maps: list[Embedding] = []
    for epoch in wanted:
        before = maps[-1].positions if maps else None
        predictor = replace(template, classifier=opened.classifier(network, epoch=epoch))
        found = replace(maker.make(predictor, opened.name, before), epoch=epoch)
        maps.append(found if before is None else replace(found, positions=aligned(found.positions, before)))
    return EmbeddingOverEpochs(tuple(maps))


def aligned(points: NDArray[Any], onto: NDArray[Any]) -> Points:
    """The points moved, turned and mirrored, but not stretched, to lie on others, row by row (orthogonal Procrustes).

    :param points, onto: N×2, of the same pictures. The middle of both becomes that of ``onto``.
    """
    from scipy.linalg import orthogonal_procrustes

    centred, middle = points - points.mean(0), onto.mean(0)
    turn, _ = orthogonal_procrustes(centred, onto - middle)
    result: Points = centred @ turn + middle
    return result


def movement(before: NDArray[Any], after: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """How far the centres of classes move, as root mean square, in units of the spread of ``after``."""
    known = np.unique(labels)
    ways = [after[labels == label].mean(0) - before[labels == label].mean(0) for label in known]
    spread = np.sqrt(np.square(after - after.mean(0)).sum(1).mean())
    return float(np.sqrt(np.square(ways).sum(1).mean()) / max(spread, 1e-300))
