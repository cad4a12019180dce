"""Pictures that are in two splits, exactly or nearly: a score on them says little of others."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab import data
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import announcing
from cnnlab.data import Dataset, ImageSet
from cnnlab.evaluation import own_data
from cnnlab.explain.mistakes.alike_pictures import Nearest, chance_threshold, grey_pictures, nearest_pictures
from cnnlab.explain.mistakes.predicted import pixels_at
from cnnlab.runs import Run

MOST = 12


@dataclass(frozen=True)
class NearDuplicate:
    """A picture, and the one nearest to it in another split.

    :param split, place, id: of the picture; ``other_split``, ``other_place``, ``other_id`` of its double.
    :param distance: as a share of that to the tenth nearest; 0 where the pixels are equal, which ``is_exact`` says.
    :param labels_differ: whether the two bear different labels.
    :param is_mirrored: whether the one is the mirror image of the other.
    """

    split: str
    place: int
    id: str
    other_split: str
    other_place: int
    other_id: str
    distance: float
    is_exact: bool
    labels_differ: bool
    is_mirrored: bool = False


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """The pairs found, the nearest first; those that are equal pixel by pixel come before all.

    :param thresholds: up to which share a pair counts, by pair of splits; ``compared`` pictures asked about.
    :param is_given: whether these were given, and not found from the data.
    :param pixels: uint8 n×2×C×H×W, of the first pairs: the picture, and its double.
    """

    pairs: tuple[NearDuplicate, ...]
    thresholds: tuple[float, ...]
    data: str
    compared: tuple[tuple[str, str, int], ...]
    pixels: NDArray[np.uint8]
    is_given: bool = False

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def exact(self) -> int:
        """How many are equal pixel by pixel."""
        return sum(pair.is_exact for pair in self.pairs)

    def __repr__(self) -> str:
        return f"NearDuplicates({len(self):,} in {self.data}, {self.exact:,} of them exact)"


def near_duplicates(
    source: "Run | Dataset | str | Path",
    *,
    threshold: float | None = None,
    most: int = MOST,
    data_dir: str | Path | None = None,
    offline: bool = False,
) -> NearDuplicates:
    """Pictures of one split that are nearly in another: of test and validation in train, and of test in validation.

    Pictures are compared in grey, of at most 32×32 pixels, each brought to mean 0 and length 1, so that brightness,
    contrast, noise and compression hardly count; as they are and mirrored, and moved by up to two of these pixels. How
    near is too near depends on the data, for all trousers are alike: it is told by the distance to the nearest picture
    as a share of that to the tenth nearest, and a pair counts where that share is so small that of unrelated pictures
    hardly one in all would have it by chance; see :func:`~.alike_pictures.chance_threshold`. Exact ones are told by
    SHA-256. What is turned, cut out or enlarged is not found.

    :param source: a run, for the data that it was trained on; a data set or its spec.
    :param threshold: a share of the distance to the tenth nearest, in the place of the one found from the data.
    :param most: for so many pairs the pictures are given.
    :raises UsageError: for a threshold outside 0 to 1.
    """
    if threshold is not None and not 0 <= threshold < 1:
        raise UsageError(f"the threshold is a share of a distance, from 0 to below 1; got {threshold:g}.")
    dataset = _dataset(source, data_dir, offline)
    parts = dict(dataset.parts())
    # Of train nothing is asked: it is what others are looked for in.
    asked = [(later, early) for early, later in combinations(parts, 2)]
    found: list[NearDuplicate] = []
    thresholds: list[float] = []
    with announcing("looking for pictures that are in two splits"):
        grey = {name: grey_pictures(part) for name, part in parts.items()} if asked else {}
        for split, other in asked:
            nearest = nearest_pictures(grey[split], grey[other])
            own = chance_threshold(nearest.shares, nearest.rank) if threshold is None else threshold
            thresholds.append(own)
            found += _pairs(split, parts[split], other, parts[other], nearest, own)
    found.sort(key=lambda pair: (not pair.is_exact, pair.distance))
    return NearDuplicates(
        pairs=tuple(found),
        thresholds=tuple(thresholds),
        data=dataset.name,
        compared=tuple((split, other, len(parts[split])) for split, other in asked),
        pixels=_pixels(found[:most], parts, dataset),
        is_given=threshold is not None,
    )


def _pairs(
    split: str, images: ImageSet, other: str, others: ImageSet, nearest: Nearest, threshold: float
) -> list[NearDuplicate]:
    first = {digest.tobytes(): place for place, digest in reversed(list(enumerate(others.image_digests)))}
    exact = np.array([first.get(digest.tobytes(), -1) for digest in images.image_digests])
    chosen = np.flatnonzero((exact >= 0) | (nearest.shares <= threshold))
    pairs = []
    for place in chosen.tolist():
        is_exact = bool(exact[place] >= 0)
        double = int(exact[place] if is_exact else nearest.places[place])
        differ = any(
            column in others.targets and int(images.targets[column][place]) != int(others.targets[column][double])
            for column in images.classes
            if column in images.targets
        )
        pairs.append(
            NearDuplicate(
                *(split, place, images.ids[place], other, double, others.ids[double]),
                distance=0.0 if is_exact else float(nearest.shares[place]),
                is_exact=is_exact,
                labels_differ=differ,
                is_mirrored=not is_exact and bool(nearest.is_mirrored[place]),
            )
        )
    return pairs


def _pixels(pairs: list[NearDuplicate], parts: dict[str, ImageSet], dataset: Dataset) -> NDArray[np.uint8]:
    shown: list[Any] = [
        [
            pixels_at(parts[split], np.array([place]))
            for split, place in ((p.split, p.place), (p.other_split, p.other_place))
        ]
        for p in pairs
    ]
    return np.array(shown, np.uint8).reshape(len(pairs), 2, *dataset.shape)


def _dataset(source: "Run | Dataset | str | Path", data_dir: str | Path | None, offline: bool) -> Dataset:
    if isinstance(source, Dataset):
        return source
    if isinstance(source, Run):
        return own_data(source, data_dir=data_dir, offline=offline)
    return data.load_data(source, data_dir=data_dir, offline=offline, for_training=False)
