"""Frozen parts of a network computed once: what they make of each picture is kept, and a phase trains from there."""

import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
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
from cnnlab.training.frozen_cache import cache_for

_BATCH = 256
"""Pictures computed at once at the most."""
_SHARE = 0.5
"""Of the free memory, or else of the free disk, that is taken at the most."""
_KEPT_BYTES = 64 << 20
"""After which what was computed is put into the cache: no more is computed again after a kill."""

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

    @property
    def steps(self) -> int:
        """In how many batches a view is computed."""
        return -(-len(self.loader.images) // self.size)

    def rows(self, batch: int) -> slice:
        """The places of a batch among all views, where the batches of all are counted."""
        view, step = divmod(batch, self.steps)
        start, count = view * len(self.loader.images), len(self.loader.images)
        return slice(start + step * self.size, start + min((step + 1) * self.size, count))

    def batches(self, seed: int, wanted: Sequence[int]) -> Iterator[Tensor]:
        """Float pixels in [0, 1] of some batches; every draw is a function of the seed, the view and the place."""
        places = torch.split(torch.arange(len(self.loader.images)), self.size)
        for view in range(self.views):
            steps = [batch - view * self.steps for batch in wanted if batch // self.steps == view]
            # Each is whole but the last of the view, so that they stay the batches that they are.
            chosen = [places[step] for step in steps]
            loaded = self.loader.batches(torch.cat(chosen), self.size) if chosen else ()
            for step, batch in zip(steps, loaded, strict=True):
                images, _ = self.pipeline(batch.images, {}, seed=seed, epoch=view, step=step, ids=batch.indices)
                yield to_float(images)


@dataclass(frozen=True)
class FrozenFeatures:
    """What a phase trains on, and is judged by, where its frozen parts are computed once.

    :param views: how many augmented draws of each training picture there are; they repeat after as many epochs.
    :param seconds: that computing them took, this time; ``spared`` what it took before of those that were found.
    :param is_found: whether all of it came out of the cache.
    """

    cut: Cut
    train: FeatureLoader
    validation: FeatureLoader | None
    views: int
    seconds: float
    spared: float = 0.0
    is_found: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """As ``run.json`` holds it."""
        kept = [loader.features for loader in (self.train, self.validation) if loader is not None]
        return {
            "layer": self.cut.layer,
            "shape": list(self.cut.shape),
            "views": self.views,
            "bytes": sum(features.numel() * features.element_size() for features in kept),
            "seconds": round(self.seconds + self.spared, 3),
            "found": self.is_found,
        }

    def __str__(self) -> str:
        """For a person who waited for it."""
        facts = self.facts
        views = f" in {self.views} views" if self.views > 1 else ""
        how = "was found in the cache" if self.is_found else "was computed once"
        return (
            f"what is frozen, up to {self.cut.layer}, {how} for {len(self.train.images):,} training "
            f"pictures{views}: {duration_in_words(self.seconds)}, {in_units(facts['bytes'])} kept"
        )

    def for_epoch(self, epoch: int) -> FeatureLoader:
        """The training pictures in the views of an epoch of the phase, counted from 0."""
        self.train.view = epoch % self.views
        return self.train

    def remainder(self, classifier: Classifier) -> Remainder:
        """What of a classifier is still to compute."""
        return Remainder(classifier, self.cut)


class _Split:
    """What frozen parts make of one split: rows in memory or a file, some found in the cache, the rest to compute."""

    def __init__(self, cut: Cut, pictures: Pictures, seed: int, execution: Execution) -> None:
        self.cut, self.pictures, self.seed, self.execution = cut, pictures, seed, execution
        # One black picture tells in which format numbers come.
        (sample,) = self._computed([torch.zeros(1, *pictures.loader.images.shape)])
        self.features = _room_for((len(pictures), *sample.shape[1:]), sample.dtype)
        # As bytes, for numpy has no bfloat16.
        self.bytes = self.features.flatten(1).view(torch.uint8).numpy()
        spec = pictures.pipeline.spec
        self.cache = cache_for(
            pictures.classifier,
            cut,
            pictures.loader.images,
            batch=pictures.size,
            drawn=(spec, seed) if len(pictures.pipeline) else None,
            execution=execution,
        )
        known = np.zeros(len(pictures), dtype=bool)
        if self.cache is not None:
            known = self.cache.fill(_as_digests(len(known)), self.bytes, np.arange(len(known)))
        self.missing = [n for n in range(pictures.views * pictures.steps) if not known[pictures.rows(n)].all()]
        if self.cache is not None and self.missing:
            self.cache.expect(int((~known).sum()) * self.bytes.shape[1])

    def _computed(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        return features_in_turn(
            self.pictures.classifier,
            self.cut.layer,
            batches,
            device=self.execution.device,
            precision=self.execution.precision,
        )

    def compute(self) -> Generator[None, None, None]:
        """What is missing, batch by batch, each put into the cache with some others, when it is stopped too."""
        kept, began = 0, time.monotonic()
        digests, at_once = _as_digests(len(self.bytes)), max(1, _KEPT_BYTES // max(1, self.bytes.shape[1]))
        done: list[NDArray[np.int64]] = []

        def keep() -> None:
            nonlocal kept, began
            rows = np.concatenate(done[kept:]) if done[kept:] else np.empty(0, np.int64)
            if self.cache is not None:
                self.cache.keep(digests[rows], self.bytes[rows], time.monotonic() - began)
            kept, began = len(done), time.monotonic()

        pictures = self.pictures.batches(self.seed, self.missing)
        try:
            for number, part in zip(self.missing, self._computed(pictures), strict=True):
                rows = self.pictures.rows(number)
                self.features[rows] = part
                done.append(np.arange(rows.start, rows.stop))
                if sum(map(len, done[kept:])) >= at_once:
                    keep()
                yield
        finally:
            keep()


def _as_digests(count: int) -> NDArray[np.uint8]:
    """Places as the cache has pictures: N×32 bytes."""
    places = np.zeros((count, 4), np.int64)
    places[:, 0] = np.arange(count)
    return places.view(np.uint8)


def compute_features(
    cut: Cut,
    train: Pictures,
    validation: Pictures | None,
    *,
    seed: int,
    execution: Execution,
    between: Between,
) -> FrozenFeatures:
    """What the frozen parts make of all pictures, out of the cache or computed, in memory or a file without a name.

    :raises NoRoomError: where there is room in neither.
    """
    began = time.monotonic()
    given, splits = [train] if validation is None else [train, validation], list[_Split]()
    total, done = sum(each.views * each.steps for each in given), 0
    for each in given:
        # One after the other, for what the first takes up is no longer free for the second.
        splits.append(_Split(cut, each, seed, execution))
        done += each.views * each.steps - len(splits[-1].missing)
        between(done, total)
        with closing(splits[-1].compute()) as steps:
            for _ in steps:
                done += 1
                between(done, total)
    loaders = [FeatureLoader(split.pictures.loader, split.features) for split in splits]
    return FrozenFeatures(
        cut,
        loaders[0],
        loaders[1] if len(loaders) > 1 else None,
        train.views,
        time.monotonic() - began,
        sum(split.cache.spared for split in splits if split.cache is not None),
        not any(split.missing for split in splits),
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
