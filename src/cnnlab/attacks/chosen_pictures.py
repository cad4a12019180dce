"""The pictures that are attacked: some of a split, the same for all attacks and models on the same data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.attacks.adversarial import Source
from cnnlab.core import seeds
from cnnlab.core.digests import digest
from cnnlab.core.errors import UsageError
from cnnlab.data import ImageSet
from cnnlab.evaluation import Predictor, chosen_data, image_sets_of, targets_of, usual_split, warn_of_seen_pictures
from cnnlab.models import Head, Predictable, heads_of
from cnnlab.runs import Run


@dataclass(frozen=True, eq=False)
class ChosenPictures:
    """Pictures of a split in the order in which they are attacked, read when they are asked for.

    :param source: which they are.
    :param labels: int64 N, the right class of each, as the model counts them.
    :param digest: of all pictures of the split, with their targets.
    """

    source: Source
    labels: Tensor
    digest: str
    parts: tuple[ImageSet, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self, start: int = 0) -> Tensor:
        """Uint8 N×C×H×W, without the first ones, so many of them."""
        places = torch.tensor(self.source.places[start:], dtype=torch.int64)
        found = torch.empty(len(places), *self.parts[0].shape, dtype=torch.uint8)
        first = 0
        for part in self.parts:
            own = (places >= first) & (places < first + len(part))
            if own.any():
                found[own] = part.batch(places[own] - first)[0]
            first += len(part)
        return found


def chosen_pictures(
    model: Run | Predictable,
    predictor: Predictor,
    head: Head,
    data: Any,
    split: str | None,
    *,
    name: str,
    count: int,
    seed: int,
    data_dir: str | Path | None = None,
    offline: bool = False,
) -> ChosenPictures:
    """The first ``count`` pictures of a split in an order drawn by the seed; all where there are fewer.

    A larger count adds pictures, and takes none away. The order depends on the seed and on how many pictures the split
    has, not on what is attacked or how. Pictures that the run was trained on are warned of.

    :param data: other data than that of the run, as :func:`cnnlab.evaluate` takes it, and likewise the split.
    :param name: what the model is called.
    :raises UsageError: when there is no such split, or its pictures have no labels.
    :raises DataError: when the data cannot be read, or is not of the model's classes.
    """
    dataset, is_own = chosen_data(model, predictor, data, data_dir, offline)
    split = split or usual_split(dataset, is_other=not is_own)
    parts = image_sets_of(dataset, split)
    warn_of_seen_pictures(model, split, parts, is_own=is_own, data_dir=data_dir)
    column = column_of(predictor.classifier, head)
    targets = targets_of(predictor, parts)
    if column not in targets:
        raise UsageError(
            f"the {split} pictures of {dataset.name} have no labels, so it is not known which are predicted rightly. "
            "Name other data, such as a folder with a folder of each class."
        )
    size = sum(map(len, parts))
    places = torch.randperm(size, generator=seeds.generator(seed, "attacked pictures"))[:count]
    ids = _ids(parts, places.numpy())
    source = Source(name, dataset.name, split, size, seed, tuple(places.tolist()), ids, column)
    return ChosenPictures(source, targets[column][places], digest([part.digest for part in parts]), tuple(parts))


def column_of(model: Predictable, head: Head) -> str:
    """The column of targets that a head predicts."""
    objective, _ = heads_of(model)
    return next((column for column, name in objective.class_heads.items() if name == head.name), head.name)


def _ids(parts: list[ImageSet], places: NDArray[np.int64]) -> tuple[str, ...]:
    ends = np.cumsum([len(part) for part in parts])
    found = []
    for place in places.tolist():
        number = int(np.searchsorted(ends, place, side="right"))
        known = parts[number].ids[place - (int(ends[number - 1]) if number else 0)]
        # A file name that is not UTF-8 comes with surrogates, which no file could hold.
        found.append(str(known).encode(errors="backslashreplace").decode())
    return tuple(found)
