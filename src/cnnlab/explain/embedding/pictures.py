"""The pictures that a map is made of, with what they are called and which class each is of."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from cnnlab import data
from cnnlab.core import seeds
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.data import Dataset, ImageSet
from cnnlab.data.loading import is_spec
from cnnlab.evaluation import own_data
from cnnlab.evaluation.prediction.alignment import in_the_classifiers_shape
from cnnlab.explain.picture_names import picture_word
from cnnlab.models import Predictable
from cnnlab.runs import Run

MOST = 10_000
"""Pictures of a map, unless another number is asked for."""
BATCH = 256
_THUMBNAIL = 32
"""Pixels of the longer side of a thumbnail."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Some pictures, in the order of their split.

    :param images: the set that they are from, or a tensor N×C×H×W, uint8 or float in [0, 1].
    :param places: int64, n places in it.
    :param labels: int64, the class of each; None where it is not known. ``names`` are the classes'.
    :param of: what they are, in words, such as ``1,000 of the 10,000 test pictures of mnist``.
    :param words: what each is asked for by, such as ``test:57``, where they are of the model's own data; else none.
    """

    images: ImageSet | Tensor
    places: NDArray[np.int64]
    labels: NDArray[np.int64] | None
    names: tuple[str, ...]
    ids: tuple[str, ...]
    of: str
    column: str | None = None
    words: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.places)

    def batches(self) -> Iterator[Tensor]:
        """N×C×H×W in turn, uint8 or float in [0, 1]."""
        for start in range(0, len(self), BATCH):
            chosen = torch.from_numpy(self.places[start : start + BATCH])
            yield self.images[chosen] if isinstance(self.images, Tensor) else self.images.batch(chosen)[0]

    def thumbnails(self) -> NDArray[np.uint8]:
        """N×C×h×w, no side longer than 32 pixels; what is larger is averaged over areas."""
        return np.concatenate([_small(batch) for batch in self.batches()])


def pictures_of(
    model: Run | Predictable | None,
    images: Any = None,
    *,
    split: str = "test",
    column: str | None = None,
    labels: Any = None,
    most: int = MOST,
    seed: int = 0,
    data_dir: str | Path | None = None,
    offline: bool = False,
) -> Pictures:
    """The pictures meant: of a data set or its split, or given in memory; of more than ``most`` a draw by the seed.

    :param images: None for the data of the run; a spec or :class:`~cnnlab.data.Dataset`, of which ``split`` is taken;
        an :class:`~cnnlab.data.ImageSet`; or N×C×H×W, uint8 or float in [0, 1], whose classes are in ``labels``.
    :param column: of the targets, where the data has several columns of classes.
    :raises UsageError: when there are no such pictures, or fewer than four of them.
    """
    source, where = _source(model, images, split, data_dir, offline)
    names: tuple[str, ...] = ()
    if isinstance(source, Tensor):
        column, known = None, labels
    else:
        column = _column(source, column)
        known = source.targets[column].numpy() if labels is None and column is not None else labels
        names = source.classes[column] if labels is None and column is not None else ()
    known = None if known is None else np.asarray(known).astype(np.int64)
    if known is not None and known.shape != (len(source),):
        raise UsageError(f"there must be one label a picture; got {len(source):,} pictures and {known.size:,} labels.")
    if known is not None and not names:
        names = tuple(map(str, range(int(known.max(initial=0)) + 1)))
    if len(source) < 4 or most < 4:
        raise UsageError(f"a map needs at least 4 pictures; got {min(len(source), most)}.")
    places = _drawn(len(source), most, seed)
    ids = tuple(map(str, places)) if isinstance(source, Tensor) else tuple(source.ids[int(place)] for place in places)
    count = (
        f"{len(source):,} {where}" if len(places) == len(source) else f"{len(places):,} of the {len(source):,} {where}"
    )
    if column is not None and isinstance(source, ImageSet) and len(source.classes) > 1:
        count += f", by {column}"
    words = tuple(picture_word(split, place) for place in places.tolist()) if images is None else ()
    return Pictures(source, places, None if known is None else known[places], names, ids, count, column, words)


def _source(
    model: Run | Predictable | None, images: Any, split: str, data_dir: str | Path | None, offline: bool
) -> tuple[ImageSet | Tensor, str]:
    """The whole set, and what its pictures are called."""
    if isinstance(images, ImageSet):
        return images, "pictures"
    if isinstance(images, Tensor | np.ndarray):
        pixels = torch.as_tensor(images)
        pixels = pixels[None] if pixels.dim() == 3 else pixels
        if pixels.dim() != 4 or not (pixels.dtype == torch.uint8 or pixels.is_floating_point()):
            raise UsageError(
                f"pictures are N×C×H×W, uint8 or float in [0, 1]; got {pixels.dtype}, {tuple(pixels.shape)}."
            )
        return pixels, "pictures"
    dataset = _dataset(model, images, data_dir, offline)
    parts = dict(dataset.parts())
    if split not in parts:
        raise UsageError(f"{dataset.name} has no split {split!r}. {suggestion(split, list(parts))}")
    return parts[split], f"{split} pictures of {dataset.name}"


def _dataset(model: Run | Predictable | None, images: Any, data_dir: str | Path | None, offline: bool) -> Dataset:
    if isinstance(images, Dataset):
        return images
    if images is None:
        if isinstance(model, Run):
            return own_data(model, data_dir=data_dir, offline=offline)
        raise UsageError("a model by itself has no pictures; name some, as in data=fashion-mnist.")
    if not is_spec(images):
        raise UsageError(
            f"pictures are the spec of a data set, a data set, or an array N×C×H×W; got {type(images).__name__}."
        )
    classifier = model.classifier() if isinstance(model, Run) else model
    wanted = images if classifier is None else in_the_classifiers_shape(images, classifier, data_dir)
    return data.load_data(wanted, data_dir=data_dir, offline=offline, for_training=False)


def _column(images: ImageSet, column: str | None) -> str | None:
    """The column of classes meant; None where the pictures have none."""
    known = [name for name in images.targets if name in images.classes]
    if column is not None and column not in known:
        raise UsageError(f"the pictures have no column of classes called {column!r}. {suggestion(column, known)}")
    return column or (known[0] if known else None)


def _drawn(count: int, most: int, seed: int) -> NDArray[np.int64]:
    if count <= most:
        return np.arange(count)
    order = torch.randperm(count, generator=seeds.generator(seed, "embedding"))
    return np.sort(order[:most].numpy())


def _small(batch: Tensor) -> NDArray[np.uint8]:
    pixels = batch if batch.dtype == torch.uint8 else (batch * 255).round().clamp(0, 255).to(torch.uint8)
    height, width = pixels.shape[-2:]
    share = _THUMBNAIL / max(height, width)
    if share < 1:
        size = (max(1, round(height * share)), max(1, round(width * share)))
        pixels = interpolate(pixels.float(), size=size, mode="area").round().to(torch.uint8)
    small: NDArray[np.uint8] = pixels.cpu().numpy()
    return small
