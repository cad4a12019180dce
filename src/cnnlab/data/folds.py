"""Folds of the training pictures: stratified, with copies of one picture kept together."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.core.seeds import generator
from cnnlab.data.dataset import OUT_OF_FOLD, Dataset, HeldOut
from cnnlab.data.imageset import ImageSet
from cnnlab.data.memmap import resident
from cnnlab.data.splits import strata_of


@dataclass(frozen=True)
class Fold:
    """One fold of several: the pictures that are held out, and the others.

    :param number: from 1.
    :param of: how many folds there are.
    """

    number: int
    of: int


def fold_numbers(train: ImageSet, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each picture, from 1 to ``folds``, a function of the pictures, the number of folds and the seed.

    Each class has as many pictures in every fold, and every fold as many pictures, give or take one. Pictures that are
    copies of each other, pixel by pixel, are in one fold, so that none is predicted by a network that has seen it;
    where there are such, numbers may be uneven by the size of a group of copies.

    :raises UsageError: when a class has too few pictures for a part of it in every fold.
    """
    strata = strata_of(train)
    groups = np.unique(_rows(train.image_digests), return_inverse=True)[1]
    check_folds(train, folds, strata, groups)
    return deal(strata.numpy(), groups, folds, seed) + 1


def deal(strata: NDArray[np.int64], groups: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each picture, from 0.

    Groups of several pictures come first, the largest before all others, then single pictures class by class, in an
    order drawn by the seed. Each goes where there are the fewest of its class, of such where there are the fewest
    pictures, of such to the first.

    :param strata: the class of each picture; ``groups`` the group that it must not be parted from.
    """
    classes = np.unique(strata, return_inverse=True)[1]
    order = torch.randperm(len(strata), generator=generator(seed, "folds")).numpy()
    _, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(sizes)[:-1])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    by_size = np.lexsort((rank[first], classes[first], -sizes))
    counts = [[0] * folds for _ in range(int(classes.max()) + 1)]
    totals, result = [0] * folds, np.empty(len(strata), dtype=np.int64)
    for group in by_size.tolist():
        own = counts[classes[first[group]]]
        fold = min(zip(own, totals, range(folds), strict=True))[2]
        for picture in members[group].tolist():
            counts[classes[picture]][fold] += 1
            result[picture] = fold
        totals[fold] += len(members[group])
    return result


def check_folds(train: ImageSet, folds: int, strata: Tensor, groups: NDArray[np.int64]) -> None:
    """Refuses more folds than a class has pictures, copies counted once.

    :raises UsageError: naming the class.
    """
    names = next(iter(train.classes.values()), None)
    for label in np.unique(strata.numpy()).tolist():
        count = len(np.unique(groups[strata.numpy() == label]))
        if count < folds:
            what = "there are" if names is None else f"of {names[label]} there are"
            remedy = f"Take folds={count} at the most" if count > 1 else "Add pictures of it, or leave folds out"
            raise UsageError(
                f"folds={folds} puts pictures of every class in every fold, and in train {what} {count}. {remedy}."
            )


def take_fold(dataset: Dataset, fold: Fold, seed: int) -> Dataset:
    """The data set with one fold of its train split held out: train is the others, validation and test stay whole."""
    is_inside = fold_numbers(dataset.train, fold.of, seed) == fold.number
    inside, others = (
        resident(dataset.train.select(torch.from_numpy(np.flatnonzero(places)))) for places in (is_inside, ~is_inside)
    )
    parts = {**dict(dataset.parts()), "train": others}
    facts = {"number": fold.number, "of": fold.of, "seed": seed, "out_of_fold": len(inside)}
    source = {**dataset.source, "fold": facts, "whole": dataset.whole_digest}
    return Dataset.of(dataset.name, parts, source, HeldOut(OUT_OF_FOLD, inside))


def _rows(digests: NDArray[np.uint8]) -> NDArray[np.void]:
    """Each digest as one value, so that they are sorted at once."""
    return np.ascontiguousarray(digests).view(np.dtype((np.void, digests.shape[1])))[:, 0]
