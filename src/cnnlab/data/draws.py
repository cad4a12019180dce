"""Samples of the training pictures that each run draws anew by its seed: a share of them, or a bootstrap."""

import numpy as np
import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.core.seeds import generator
from cnnlab.data.dataset import OUT_OF_BAG, Dataset, HeldOut
from cnnlab.data.division import BOOTSTRAP, Subset
from cnnlab.data.splits import choose_stratified, count_of, strata_of


def draw(dataset: Dataset, subset: Subset, seed: int) -> Dataset:
    """The data set with a sample of its train split in place of that, and all that was not drawn as held out.

    Both ways of drawing are stratified. A share takes that part of each class, without replacement; of two shares
    drawn by one seed the smaller lies within the larger. A bootstrap draws of each class as many as there are of it,
    with replacement (Breiman, Bagging predictors, 1996, but class by class, so that none is lost): some 63% of the
    pictures, several of them more than once. The rest is out of bag. Validation and test stay whole.

    :param seed: of the run; what is drawn is a function of it and of the data.
    :raises UsageError: when a share is of no picture.
    """
    whole = dataset.train
    places = _bootstrap(strata_of(whole), seed) if subset == BOOTSTRAP else _share(dataset, subset, seed)
    left = np.setdiff1d(np.arange(len(whole)), places.numpy())
    facts = {
        "how": str(subset),
        "seed": seed,
        "of": len(whole),
        "different": len(whole) - len(left),
        "out_of_bag": len(left),
    }
    sizes = {split: len(part) for split, part in dataset.parts()}
    source = {"subset_of": sizes, **dataset.source, "drawn": facts, "whole": dataset.whole_digest}
    parts = {**dict(dataset.parts()), "train": whole.select(places)}
    held_out = HeldOut(OUT_OF_BAG, whole.select(torch.from_numpy(left))) if len(left) else None
    return Dataset.of(dataset.name, parts, source, held_out)


def _share(dataset: Dataset, share: Subset, seed: int) -> Tensor:
    assert isinstance(share, float)
    total = len(dataset.train)
    count = count_of("subset", share, total)
    if count == 0:
        raise UsageError(f"subset={share} leaves nothing of the {total:,} pictures of train; give a larger one.")
    return choose_stratified(strata_of(dataset.train), count, "share", spare=0, seed=seed)


def _bootstrap(strata: Tensor, seed: int) -> Tensor:
    """Places in rising order, each class drawn as often as it is there."""
    drawn = []
    for label in np.unique(strata.numpy()).tolist():
        own = np.flatnonzero(strata.numpy() == label)
        chosen = torch.randint(len(own), (len(own),), generator=generator(seed, BOOTSTRAP, label))
        drawn.append(own[chosen.numpy()])
    return torch.from_numpy(np.sort(np.concatenate(drawn)))
