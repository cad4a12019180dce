"""Smaller data sets: what ``subset`` says of how many pictures each split keeps.

A count makes a smaller set, all splits in proportion, and ``splits(…)`` says for each split what it keeps; both are
stratified and a function of the data, the same for all seeds. A share and ``bootstrap`` are of the training pictures
alone, and are drawn by the seed: ``draws.py``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from cnnlab.core.arguments import Count, Fraction
from cnnlab.core.errors import UsageError
from cnnlab.core.registry import Registry
from cnnlab.data.dataset import Dataset
from cnnlab.data.division import BOOTSTRAP, Subset
from cnnlab.data.imageset import ImageSet
from cnnlab.data.splits import choose_stratified, count_of, strata_of

_Size: TypeAlias = Count | Fraction | None

QUICK = {"train": 256, "validation": 64, "test": 64}
"""How many pictures of each split a quick trial takes at most."""

subsets: Registry["SplitSizes"] = Registry("subset")


@dataclass(frozen=True)
class SplitSizes:
    """For each split a count or a share of it to keep; None for all."""

    train: int | float | None = None
    validation: int | float | None = None
    test: int | float | None = None


@subsets.register("splits")
def splits(train: _Size = None, validation: _Size = None, test: _Size = None) -> SplitSizes:
    """So many pictures of each split, counts or shares; a split that is not named stays whole."""
    return SplitSizes(train, validation, test)


def read_subset(value: Any) -> Any:
    """What a recipe says of ``subset``: a spec in its canonical text, numbers as they are.

    :raises SpecError: for a spec that there is not.
    :raises ValueError: for a word.
    """
    if value is None or value == BOOTSTRAP or isinstance(value, int | float):
        return value
    if isinstance(value, str) and "(" not in value:
        raise ValueError("no count and no share")
    return str(subsets.bind(value))


def smaller(dataset: Dataset, subset: Subset, counted: Collection[str] = ()) -> Dataset:
    """The data set with the pictures that ``subset`` says; its ``source`` tells how many each split had.

    :param subset: none that is drawn by the seed.
    :param counted: splits whose number of pictures was asked for, which a count for the whole leaves alone.
    :raises UsageError: when there are not so many, or it would be nothing.
    """
    return _keep(dataset, _sizes(dict(dataset.parts()), subset, counted))


def few(dataset: Dataset) -> Dataset:
    """The data set of a quick trial: of each split a few pictures, so that all goes through in seconds."""
    return _keep(dataset, {split: min(QUICK[split], len(part)) for split, part in dataset.parts()})


def _keep(dataset: Dataset, sizes: Mapping[str, int | float]) -> Dataset:
    parts = dict(dataset.parts())
    kept = {split: _select(split, parts[split], size) for split, size in sizes.items()}
    source = {"subset_of": {split: len(part) for split, part in parts.items()}, **dataset.source}
    return Dataset.of(dataset.name, parts | kept, source)


def _sizes(parts: dict[str, ImageSet], subset: Subset, counted: Collection[str]) -> dict[str, int | float]:
    """What each split keeps, for those that do not stay whole."""
    if isinstance(subset, str):
        asked = vars(subsets.bind(subset).build())
        lacking = [split for split, size in asked.items() if size is not None and split not in parts]
        if lacking:
            raise UsageError(f"subset={subset} names {lacking[0]}, and the data has no such split; leave it out.")
        return {split: size for split, size in asked.items() if size is not None}
    assert subset is not None
    share = count_of("subset", subset, len(parts["train"])) / len(parts["train"])
    others = [split for split in parts if split != "train" and split not in counted]
    return {"train": subset} | {split: _in_proportion(parts[split], share) for split in others}


def _in_proportion(part: ImageSet, share: float) -> int:
    """A share of a split, with a picture of each class at least, so that it can still be scored by every metric."""
    return min(len(part), max(round(share * len(part)), len(np.unique(strata_of(part).numpy()))))


def _select(split: str, part: ImageSet, size: int | float) -> ImageSet:
    count = count_of("subset", size, len(part), of=split)
    if count == 0:
        raise UsageError(f"subset={size} leaves nothing of the {len(part):,} pictures of {split}; give a larger one.")
    return part.select(choose_stratified(strata_of(part), count, "subset", spare=0))
