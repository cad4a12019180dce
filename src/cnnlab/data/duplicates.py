"""Pictures that are in two splits: a score on them says nothing."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from cnnlab.core.messages import warn
from cnnlab.data.dataset import Dataset
from cnnlab.data.imageset import ImageSet


def shared(first: ImageSet, second: ImageSet) -> NDArray[np.bool_]:
    """Whether each picture of ``first`` is in ``second`` too, pixel by pixel (bool, by SHA-256)."""
    ours, theirs = first.image_digests, second.image_digests
    # The first eight bytes tell nearly all apart, and are compared at once; the rest settles what is left.
    candidates = np.isin(_prefixes(ours), _prefixes(theirs))
    if candidates.any():
        known = {row.tobytes() for row in theirs[np.isin(_prefixes(theirs), _prefixes(ours[candidates]))]}
        candidates[candidates] = [row.tobytes() in known for row in ours[candidates]]
    return candidates


def repeated(image_set: ImageSet) -> int:
    """How many pictures of a set are exact copies of an earlier one in it."""
    return len(image_set) - len(np.unique(image_set.image_digests, axis=0))


def count_shared(dataset: Dataset) -> dict[tuple[str, str], int]:
    """For every pair of splits, how many pictures of the first are in the second; pairs without any are left out."""
    parts = dict(dataset.parts())
    pairs = [("train", "test"), ("train", "validation"), ("validation", "test")]
    counts = {
        (first, second): int(shared(parts[first], parts[second]).sum())
        for first, second in pairs
        if first in parts and second in parts
    }
    return {pair: number for pair, number in counts.items() if number}


def handle_duplicates(dataset: Dataset, *, dedupe: bool) -> Dataset:
    """The data set with its duplicates across splits in the record, and warned of or dropped from train."""
    counts = count_shared(dataset)
    if not counts:
        return dataset
    record, dropped = {f"{first} in {second}": number for (first, second), number in counts.items()}, 0
    if dedupe:
        dataset, dropped = _without(dataset)
    elif dataset.source.get("duplicates") != record:
        told = ", ".join(f"{number:,} of {first} are also in {second}" for (first, second), number in counts.items())
        warn(
            f"{dataset.name}: exact duplicates across splits: {told}. A score on pictures seen in training is too "
            "high; dedupe=true drops them from train."
        )
    return replace(dataset, source={**dataset.source, "duplicates": record, "dropped_duplicates": dropped})


def _without(dataset: Dataset) -> tuple[Dataset, int]:
    train = dataset.train
    is_shared = np.zeros(len(train), dtype=bool)
    for part in (dataset.validation, dataset.test):
        if part is not None:
            is_shared |= shared(train, part)
    return replace(dataset, train=train.select(torch.from_numpy(np.flatnonzero(~is_shared)))), int(is_shared.sum())


def _prefixes(digests: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(digests[:, :8]).view(np.uint64)[:, 0]
