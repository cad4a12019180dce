"""One map: pictures as points of a plane, by what a layer makes of them or by their pixels."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import CnnlabError
from cnnlab.core.machine import usable_cores
from cnnlab.core.messages import announcing
from cnnlab.core.registry import BoundCall
from cnnlab.evaluation import Predictor, class_predictions, open_model, predictor_of
from cnnlab.explain.embedding.codes import PIXELS, Codes, codes_of
from cnnlab.explain.embedding.pictures import MOST, Pictures, pictures_of
from cnnlab.explain.embedding.projections import COMPONENTS, PROJECTIONS, Points, principal_components
from cnnlab.explain.embedding.quality import MapQuality, map_quality
from cnnlab.models import OwnNetwork, Predictable
from cnnlab.runs import Run


@dataclass(frozen=True, eq=False)
class Embedding:
    """Pictures as points of a plane, and what the plane keeps of the codes.

    :param positions: float64 N×2, in units that mean nothing by themselves; the middle of all is at 0.
    :param labels: int64, the class of each; None where it is not known. ``names`` are the classes'.
    :param predicted: int64, what the run predicted of each, where that is stored.
    :param thumbnails: uint8 N×C×h×w, no side longer than 32 pixels.
    :param method: canonical spec; ``space`` what the codes are, in words; ``of`` which pictures; ``model`` whose.
    :param kept: the share of the variance that the principal components hold which the map was made from; 1 for all.
    :param epoch: after which the codes are, where several are asked for.
    :param seconds: what codes, map and its quality took.
    """

    positions: Points
    labels: NDArray[np.int64] | None
    names: tuple[str, ...]
    predicted: NDArray[np.int64] | None
    ids: tuple[str, ...]
    thumbnails: NDArray[np.uint8]
    method: str
    space: str
    of: str
    model: str
    quality: MapQuality
    kept: float = 1.0
    seed: int = 0
    epoch: int | None = None
    seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"Embedding({self.method} of {self.space}, {self.of})"


def embed(
    model: "Run | Predictable | str | Path | None",
    images: Any = None,
    *,
    split: str = "test",
    layer: str | None = None,
    method: str = "tsne",
    column: str | None = None,
    labels: Any = None,
    most: int = MOST,
    seed: int = 0,
    threads: int | None = None,
    device: str | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    network: OwnNetwork | None = None,
) -> Embedding:
    """Pictures in two dimensions, with what such a map keeps and what it does not.

    The same codes and seed give the same map, whatever the threads. Codes of more than 50 numbers are brought to
    their first 50 principal components before t-SNE or UMAP; the quality is of the codes in full.

    :param model: as :func:`cnnlab.open_model` takes it; None where pixels are embedded.
    :param images: None for the data of the run; a spec or data set, of which ``split`` is taken; an array N×C×H×W,
        uint8 or float in [0, 1], whose classes are in ``labels``.
    :param layer: its name in the summary; ``pixels``; ``outputs``; by default what the last dense layer is given. Of an
        ensemble it is that layer of each member, side by side and each counting alike.
    :param method: spec: ``tsne(perplexity=30)``, ``pca`` or ``umap(neighbours=15)``.
    :param column: of the targets, by whose classes points are told apart, where there are several.
    :param most: pictures; of more a draw by the seed.
    :param threads: by default one for t-SNE, since several gain little and wait long where others use the same cores,
        and all that there are for the rest.
    :raises UsageError: for a layer, a method or pictures that there are not.
    """
    opened = None if model is None else open_model(model, network=network, offline=offline)
    chosen: dict[str, Any] = {"split": split, "column": column, "labels": labels, "most": most, "seed": seed}
    pictures = pictures_of(opened, images, data_dir=data_dir, offline=offline, **chosen)
    predictor = None if opened is None or layer == PIXELS else predictor_of(opened, device=device, network=network)
    maker = MapMaker(pictures, PROJECTIONS.bind(method), layer, seed, threads)
    found = maker.make(predictor, label_of(opened, predictor))
    return replace(found, predicted=stored_predictions(opened, pictures, split) if images is None else None)


@dataclass(frozen=True, eq=False)
class MapMaker:
    """Makes maps of the same pictures that are alike but for the network that codes them.

    :param method: of :data:`~.projections.PROJECTIONS`; ``layer``, ``seed`` and ``threads`` as of :func:`embed`.
    """

    pictures: Pictures
    method: BoundCall[Points]
    layer: str | None
    seed: int
    threads: int | None

    @cached_property
    def thumbnails(self) -> NDArray[np.uint8]:
        """Of the pictures."""
        return self.pictures.thumbnails()

    def make(self, predictor: Predictor | None, model: str, start: Points | None = None) -> Embedding:
        """The map of what a network makes of the pictures.

        :param predictor: None for pixels.
        :param model: what captions call it.
        :param start: where the points are to begin, N×2; where the method has them unless given.
        """
        started, pictures = time.perf_counter(), self.pictures
        with limited(self.threads), announcing(f"making a map of {len(pictures):,} pictures"):
            codes = codes_of(predictor, pictures.batches(), self.layer)
            points, kept = condensed(codes, self.seed)
            positions = self.method.build(points=points, seed=self.seed, threads=self.threads or 1, start=start)
            quality = map_quality(codes.values, positions, pictures.labels)
        return Embedding(
            positions=positions - positions.mean(0),
            labels=pictures.labels,
            names=pictures.names,
            predicted=None,
            ids=pictures.ids,
            thumbnails=self.thumbnails,
            method=str(self.method),
            space=codes.space,
            of=pictures.of,
            model=model,
            quality=quality,
            kept=kept,
            seed=self.seed,
            seconds=time.perf_counter() - started,
        )


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """A block in which linear algebra takes so many threads, all that there are by default."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads or usable_cores()):
        yield


def condensed(codes: Codes, seed: int) -> tuple[NDArray[Any], float]:
    """What a map is made from: the codes, or the first of their principal components, and the variance that is kept."""
    if codes.values.shape[1] <= COMPONENTS:
        return codes.values.astype(np.float64), 1.0
    return principal_components(codes.values, COMPONENTS, seed)


def stored_predictions(model: Run | Predictable | None, pictures: Pictures, split: str) -> NDArray[np.int64] | None:
    """What a run is on record to have predicted of these pictures; None where it is not."""
    if not isinstance(model, Run) or pictures.column is None or split not in model.splits:
        return None
    try:
        stored = model.predictions(split)
        predicted = class_predictions(stored, pictures.column).predicted
    except CnnlabError:
        return None
    whole = tuple(stored.ids)
    found = predicted[pictures.places] if len(whole) > pictures.places.max() else None
    if found is None or tuple(whole[place] for place in pictures.places) != pictures.ids:
        return None
    return found


def label_of(model: Run | Predictable | None, predictor: Predictor | None) -> str:
    """Whose map it is, in words."""
    if isinstance(model, Run):
        return model.name
    return "" if predictor is None else predictor.label
