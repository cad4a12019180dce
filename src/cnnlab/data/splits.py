"""Splits: what is set aside for validation and test.

The choice is stratified by class and a pure function of the data: it has a seed of its own, which the repeats of a
study do not change.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from cnnlab.core.errors import DataError, UsageError
from cnnlab.core.messages import warn
from cnnlab.core.seeds import generator
from cnnlab.data.imageset import ImageSet

SplitSize: TypeAlias = int | float | None
"""A count of pictures, a fraction between 0 and 1, or None for the default."""

SEED = 0
_VALIDATION_MOST = 5_000
_DEFAULTS = {"test": ("a fifth", 0.2, None), "validation": ("a tenth", 0.1, _VALIDATION_MOST)}
"""What is set aside by default, in this order: in words, as a fraction of what train then has, and at most."""


def complete(
    parts: Mapping[str, ImageSet], validation: SplitSize = None, test: SplitSize = None, *, for_training: bool = True
) -> dict[str, ImageSet]:
    """The splits of a set, with those carved off train that it lacks; 0 leaves a split out.

    By default test is a fifth, and validation a tenth of what is then left, at most 5,000. A fraction for ``test`` is
    of the whole train part, one for ``validation`` of what test leaves. A set of so few pictures that a default share
    is none of them goes without that split, with a warning.

    :param for_training: whether a set that is too small to be trained on is refused or warned of.
    :raises UsageError: when a split that the set has already is asked for in another size.
    """
    done = dict(parts)
    for name, share in {"test": test, "validation": validation}.items():
        if name in done:
            _own_split(done, name, share)
            continue
        total = len(done["train"])
        if share is None:
            count = _default_count(name, total) if for_training or total > 1 else 0
        else:
            count = count_of(name, share, total)
        if count:
            done["train"], done[name] = _carve(done["train"], name, count)
        elif share is None and for_training:
            warn(f"{none_set_aside(name, total)} Give more pictures, a count as in {name}=1, or {name}=0 for none.")
    return done


def default_counts(parts: Mapping[str, ImageSet]) -> dict[str, int]:
    """How many pictures of train :func:`complete` sets aside by default, for each split that the set lacks.

    :raises DataError: when there are too few to train on.
    """
    left, counts = len(parts["train"]), {}
    for name in _DEFAULTS:
        if name not in parts:
            counts[name] = _default_count(name, left)
            left -= counts[name]
    return counts


def none_set_aside(name: str, total: int) -> str:
    """That a default share of so few pictures is nothing, as a sentence."""
    loss = "no score on unseen pictures" if name == "test" else "no score to select by"
    return f"there is no {name} split, and {loss}: {_DEFAULTS[name][0]} of {total:,} pictures is none."


def count_of(name: str, share: int | float, total: int, *, of: str = "train") -> int:
    """How many of ``total`` a count or a fraction means.

    :param of: the split that has so many.
    :raises UsageError: for what is neither, or more than there are.
    """
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    if (
        not is_number
        or share < 0
        or share != share
        or (isinstance(share, float) and share > 1 and not share.is_integer())
    ):
        raise UsageError(f"{name} takes a count of pictures or a fraction from 0 to 1; got {share!r}.")
    count = round(share * total) if isinstance(share, float) and share <= 1 else int(share)
    if count > total:
        raise UsageError(f"{name}={share} asks for more than the {total:,} pictures of {of}.")
    return count


def choose_stratified(strata: Tensor, count: int, purpose: str, *, spare: int, seed: int = SEED) -> Tensor:
    """``count`` places of ``strata``, in rising order, in proportion to the classes in it.

    :param strata: the class of each place, int64.
    :param spare: how many of every class are left behind at least, where that can be.
    """
    labels, sizes = np.unique(strata.numpy(), return_counts=True)
    quota = _allocate(sizes.tolist(), count, spare)
    is_chosen = np.zeros(len(strata), dtype=bool)
    for label, size, number in zip(labels.tolist(), sizes.tolist(), quota, strict=True):
        order = torch.randperm(size, generator=generator(seed, purpose, label))[:number]
        is_chosen[np.flatnonzero(strata.numpy() == label)[order.numpy()]] = True
    return torch.from_numpy(np.flatnonzero(is_chosen))


def _allocate(sizes: list[int], count: int, spare: int) -> list[int]:
    """Largest remainders: each class its rounded-down share, the rest to those that miss most.

    Every class gets one where there are enough to go round, and leaves ``spare`` behind where that can be.
    """
    total = sum(sizes)
    if sum(max(0, size - spare) for size in sizes) < count:
        spare = 0
    room = [max(0, size - spare) for size in sizes]
    least = 1 if count >= len(sizes) else 0
    ideal = [size * count / total for size in sizes]
    given = [min(places, max(least, int(share))) for places, share in zip(room, ideal, strict=True)]
    while (missing := count - sum(given)) != 0:
        step = 1 if missing > 0 else -1
        open_ = [i for i, n in enumerate(given) if (n < room[i] if step > 0 else n > least)]
        open_.sort(key=lambda i: (step * (given[i] - ideal[i]), i))
        for i in open_[: abs(missing)]:
            given[i] += step
    return given


def _carve(train: ImageSet, name: str, count: int) -> tuple[ImageSet, ImageSet]:
    if count >= len(train):
        raise UsageError(f"{name}={count} would leave no picture of the {len(train):,} to train on; give fewer.")
    chosen = choose_stratified(strata_of(train), count, name, spare=1)
    rest = np.setdiff1d(np.arange(len(train)), chosen.numpy(), assume_unique=True)
    return train.select(torch.from_numpy(rest)), train.select(chosen)


def strata_of(image_set: ImageSet) -> Tensor:
    """The column by which to stratify: the first that holds classes, or one stratum for all."""
    for name in image_set.classes:
        return image_set.targets[name]
    return torch.zeros(len(image_set), dtype=torch.int64)


def _default_count(name: str, total: int) -> int:
    if total < 2:
        raise DataError(f"{total} picture is too few to train on.")
    _, fraction, most = _DEFAULTS[name]
    return min(round(total * fraction), most or total)


def _own_split(parts: dict[str, ImageSet], name: str, share: SplitSize) -> None:
    if share is None or share == len(parts[name]):
        return
    if share != 0 or isinstance(share, bool):
        raise UsageError(
            f"{name}={share} cannot be: the data has a {name} split of its own with {len(parts[name]):,} pictures. "
            f"Leave {name} out to use that, or write {name}=0 to go without."
        )
    del parts[name]
