"""Frozen parts of a network computed once: what they make of each picture is kept, and a phase trains from there."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cnnlab.augment import Pipeline
from cnnlab.core.durations import duration_in_words
from cnnlab.core.files import cache_folder, free_space, make_folder
from cnnlab.core.machine import free_memory
from cnnlab.core.number_text import in_units
from cnnlab.models import Classifier, batch_for, to_float
from cnnlab.models.cutting import Cut, Remainder
from cnnlab.models.features import features_in_turn
from cnnlab.training.batches import Batch, BatchLoader, placed
from cnnlab.training.execution import Execution

_BATCH = 256
"""Pictures computed at once at the most."""
_SHARE = 0.5
"""Of the free memory, or else of the free disk, that is taken at the most."""

Between: TypeAlias = Callable[[int, int], None]
"""Called with how many batches are computed, and of how many."""


class NoRoomError(Exception):
    """Neither memory nor disk has room for what frozen parts make of the pictures; says how many bytes that is."""


class FeatureLoader:
    """Gives the features of an image set's pictures in the place of pixels, as a :class:`BatchLoader` gives these.

    :param features: of every picture in order, a view after the other.
    """

    def __init__(self, loader: BatchLoader, features: Tensor) -> None:
        self.images, self.device, self.targets = loader.images, loader.device, loader.targets
        self.features, self.view = placed(features, loader.device), 0

    def batches(self, indices: Tensor, size: int) -> Iterator[Batch]:
        """As of :meth:`BatchLoader.batches`."""
        for chosen in torch.split(indices, max(1, min(size, len(indices)))):
            rows = (chosen + self.view * len(self.images)).to(self.features.device)
            features = self.features.index_select(0, rows).to(self.device, non_blocking=True)
            there = chosen.to(self.device)
            yield Batch(
                chosen, features, {name: column.index_select(0, there) for name, column in self.targets.items()}
            )


@dataclass(frozen=True)
class Pictures:
    """The pictures of a split, and the classifier whose frozen parts see them.

    :param views: augmented draws of each picture.
    """

    loader: BatchLoader
    classifier: Classifier
    pipeline: Pipeline
    views: int = 1

    def __len__(self) -> int:
        return self.views * len(self.loader.images)

    @property
    def size(self) -> int:
        """How many are computed at once: always as many, so that a run that goes on finds the same bits."""
        return batch_for(self.loader.images.shape, _BATCH)

    def batches(self, seed: int) -> Iterator[Tensor]:
        """Float pixels in [0, 1]; every draw is a function of the seed, the view and the picture's place."""
        places = torch.arange(len(self.loader.images))
        for view in range(self.views):
            for step, batch in enumerate(self.loader.batches(places, self.size)):
                images, _ = self.pipeline(batch.images, {}, seed=seed, epoch=view, step=step, ids=batch.indices)
                yield to_float(images)


@dataclass(frozen=True)
class FrozenFeatures:
    """What a phase trains on, and is judged by, where its frozen parts are computed once.

    :param views: how many augmented draws of each training picture there are; they repeat after as many epochs.
    :param seconds: that computing them took.
    """

    cut: Cut
    train: FeatureLoader
    validation: FeatureLoader | None
    views: int
    seconds: float

    @property
    def facts(self) -> dict[str, Any]:
        """As ``run.json`` holds it."""
        kept = [loader.features for loader in (self.train, self.validation) if loader is not None]
        return {
            "layer": self.cut.layer,
            "shape": list(self.cut.shape),
            "views": self.views,
            "bytes": sum(features.numel() * features.element_size() for features in kept),
            "seconds": round(self.seconds, 3),
        }

    def __str__(self) -> str:
        """For a person who waited for it."""
        facts = self.facts
        views = f" in {self.views} views" if self.views > 1 else ""
        return (
            f"what is frozen, up to {self.cut.layer}, was computed once for {len(self.train.images):,} training "
            f"pictures{views}: {duration_in_words(self.seconds)}, {in_units(facts['bytes'])} kept"
        )

    def for_epoch(self, epoch: int) -> FeatureLoader:
        """The training pictures in the views of an epoch of the phase, counted from 0."""
        self.train.view = epoch % self.views
        return self.train

    def remainder(self, classifier: Classifier) -> Remainder:
        """What of a classifier is still to compute."""
        return Remainder(classifier, self.cut)


def compute_features(
    cut: Cut,
    train: Pictures,
    validation: Pictures | None,
    *,
    seed: int,
    execution: Execution,
    between: Between,
) -> FrozenFeatures:
    """What the frozen parts make of all pictures, in memory or else in a file without a name.

    :raises NoRoomError: where there is room in neither.
    """
    began, splits = time.monotonic(), [train] if validation is None else [train, validation]
    total, done = sum(split.views * -(-len(split.loader.images) // split.size) for split in splits), 0
    loaders = list[FeatureLoader]()
    for split in splits:
        features, place = None, 0
        pictures = split.batches(seed)
        for part in features_in_turn(
            split.classifier, cut.layer, pictures, device=execution.device, precision=execution.precision
        ):
            features = _room_for((len(split), *part.shape[1:]), part.dtype) if features is None else features
            features[place : place + len(part)] = part
            place, done = place + len(part), done + 1
            between(done, total)
        assert features is not None
        loaders.append(FeatureLoader(split.loader, features))
    return FrozenFeatures(
        cut, loaders[0], loaders[1] if len(loaders) > 1 else None, train.views, time.monotonic() - began
    )


def _room_for(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    size = prod(shape) * dtype.itemsize
    if size <= _SHARE * free_memory():
        return torch.empty(*shape, dtype=dtype)
    folder = make_folder(cache_folder())
    if size > _SHARE * free_space(folder):
        raise NoRoomError(f"{size:,} bytes")
    with tempfile.TemporaryFile(dir=folder) as file:
        # Mapped, it stays for as long as the tensor does; whatever becomes of the process, it is gone afterwards.
        file.truncate(size)
        mapped = np.memmap(file, np.uint8, "r+", shape=(size,))
    return torch.from_numpy(mapped).view(dtype).view(*shape)
