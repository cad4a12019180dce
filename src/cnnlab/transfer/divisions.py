"""How pictures are divided into train, validation and test, once or several times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from cnnlab.core.errors import UsageError
from cnnlab.data import Dataset
from cnnlab.data.splits import choose_stratified
from cnnlab.transfer.record import Vary

Places: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Division:
    """One repeat: places among all pictures, and the seed by which classifiers draw.

    :param parts: by the name of the split.
    """

    seed: int
    parts: Mapping[str, Places]


def divisions(dataset: Dataset, labels: NDArray[np.int64], repeats: int, vary: Vary, seed: int) -> list[Division]:
    """The repeats.

    The first is the data as it is divided for any training. Where splits vary, those that were carved off train are
    drawn anew from the same pictures, stratified, in the same numbers; splits that the data came with stay.

    :param labels: the class of each picture, train, validation and test after one another.
    :raises UsageError: where there is nothing to draw anew.
    """
    own, start = dict[str, Places](), 0
    for name, part in dataset.parts():
        own[name] = np.arange(start, start + len(part))
        start += len(part)
    carved = [name for name in dataset.source.get("carved", ()) if name in own]
    if repeats > 1 and vary == "split" and not carved:
        raise UsageError(
            f"{dataset.name} comes with its own splits, so there is nothing to draw anew for {repeats} repeats. Take "
            "vary=seed, by which only what classifiers draw differs, or repeats=1."
        )
    result = [Division(seed, own)]
    for number in range(1, repeats):
        again = seed + number
        parts = _drawn(own, carved, labels, again) if vary == "split" else own
        result.append(Division(again, parts))
    return result


def _drawn(own: Mapping[str, Places], carved: Sequence[str], labels: NDArray[np.int64], seed: int) -> dict[str, Places]:
    """Train and what was carved off it, drawn anew."""
    parts = dict(own)
    pool = np.sort(np.concatenate([own["train"], *(own[name] for name in carved)]))
    for name in carved:
        chosen = choose_stratified(
            torch.from_numpy(labels[pool]), len(own[name]), f"transfer {name}", spare=1, seed=seed
        ).numpy()
        parts[name] = pool[chosen]
        pool = np.delete(pool, chosen)
    parts["train"] = pool
    return parts
