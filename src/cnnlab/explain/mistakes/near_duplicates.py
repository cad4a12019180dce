"""Pictures that are in two splits, exactly or nearly: a score on them says little of others."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from cnnlab import data
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import announcing
from cnnlab.data import Dataset, ImageSet
from cnnlab.evaluation import own_data
from cnnlab.explain.mistakes.predicted import pixels_at
from cnnlab.runs import Run

THRESHOLD = 0.3
"""Of the distance to the tenth nearest picture: on MNIST nothing is nearer, on Fashion-MNIST what is looks the same."""
MOST = 12
_SIDE, _TENTH, _ROWS = 16, 10, 512


@dataclass(frozen=True)
class NearDuplicate:
    """A picture, and the one nearest to it in another split.

    :param split, place, id: of the picture; ``other_split``, ``other_place``, ``other_id`` of its double.
    :param distance: as a share of that to the tenth nearest; 0 where the pixels are equal, which ``is_exact`` says.
    :param labels_differ: whether the two bear different labels.
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


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """The pairs found, the nearest first; those that are equal pixel by pixel come before all.

    :param threshold: up to which share a pair counts; ``compared`` pictures asked about, by pair of splits.
    :param pixels: uint8 n×2×C×H×W, of the first pairs: the picture, and its double.
    """

    pairs: tuple[NearDuplicate, ...]
    threshold: float
    data: str
    compared: tuple[tuple[str, str, int], ...]
    pixels: NDArray[np.uint8]

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
    threshold: float = THRESHOLD,
    most: int = MOST,
    data_dir: str | Path | None = None,
    offline: bool = False,
) -> NearDuplicates:
    """Pictures of one split that are nearly in another: of test and validation in train, and of test in validation.

    Pictures are brought to grey, at most 16×16 pixels, by means over areas, and to mean 0 and length 1, so that
    brightness, contrast, noise and compression hardly count. For each the nearest picture of the other split is looked
    up. How near is too near depends on the data, for all trousers are alike: a pair counts where it is at most
    ``threshold`` of the distance to the tenth nearest. Exact ones are told by SHA-256. What is mirrored, turned, or
    moved by more than a pixel or two is not found.

    :param source: a run, for the data that it was trained on; a data set or its spec.
    :param most: for so many pairs the pictures are given.
    :raises UsageError: for a threshold outside 0 to 1.
    """
    if not 0 <= threshold < 1:
        raise UsageError(f"the threshold is a share of a distance, from 0 to below 1; got {threshold:g}.")
    dataset = _dataset(source, data_dir, offline)
    parts = dict(dataset.parts())
    # Of train nothing is asked: it is what others are looked for in.
    asked = [(later, early) for early, later in combinations(parts, 2)]
    found: list[NearDuplicate] = []
    with announcing("looking for pictures that are in two splits"):
        rows = {name: small_rows(part) for name, part in parts.items()} if asked else {}
        for split, other in asked:
            found += _pairs(split, parts[split], rows[split], other, parts[other], rows[other], threshold)
    found.sort(key=lambda pair: (not pair.is_exact, pair.distance))
    return NearDuplicates(
        pairs=tuple(found),
        threshold=threshold,
        data=dataset.name,
        compared=tuple((split, other, len(parts[split])) for split, other in asked),
        pixels=_pixels(found[:most], parts, dataset),
    )


def small_rows(images: ImageSet) -> Tensor:
    """N×D float32: pictures in grey at 16×16 pixels or fewer, of mean 0 and length 1; flat ones are 0."""
    made = []
    for chunk in images.chunks():
        grey = chunk.float().mean(1, keepdim=True)
        height, width = grey.shape[-2:]
        if max(height, width) > _SIDE:
            grey = interpolate(grey, size=(min(height, _SIDE), min(width, _SIDE)), mode="area")
        rows = grey.flatten(1)
        rows = rows - rows.mean(1, keepdim=True)
        # What is less than a grey level is no picture.
        length = rows.norm(dim=1, keepdim=True)
        made.append(torch.where(length > 1, rows / length.clamp_min(1), torch.zeros(())))
    return torch.cat(made)


def nearest_rows(rows: Tensor, others: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each of ``rows`` which of ``others`` is nearest, and how near, as a share of the distance to the tenth.

    :param rows, others: of length 1 or 0; what is 0 is near nothing, and has a share of 1.
    """
    tenth = min(_TENTH, len(others))
    places, shares = [], []
    for part in torch.split(rows, _ROWS):
        likeness, nearest = (part @ others.T).topk(tenth, dim=1)
        distances = (2 - 2 * likeness).clamp_min(0).sqrt()
        share = distances[:, 0] / distances[:, -1].clamp_min(1e-6)
        share[part.abs().amax(1) == 0] = 1
        places.append(nearest[:, 0])
        shares.append(share)
    return torch.cat(places).numpy(), torch.cat(shares).double().numpy()


def _pairs(
    split: str, images: ImageSet, rows: Tensor, other: str, others: ImageSet, other_rows: Tensor, threshold: float
) -> list[NearDuplicate]:
    nearest, shares = nearest_rows(rows, other_rows)
    first = {digest.tobytes(): place for place, digest in reversed(list(enumerate(others.image_digests)))}
    exact = np.array([first.get(digest.tobytes(), -1) for digest in images.image_digests])
    chosen = np.flatnonzero((exact >= 0) | (shares <= threshold))
    pairs = []
    for place in chosen.tolist():
        is_exact = bool(exact[place] >= 0)
        double = int(exact[place] if is_exact else nearest[place])
        differ = any(
            column in others.targets and int(images.targets[column][place]) != int(others.targets[column][double])
            for column in images.classes
            if column in images.targets
        )
        distance = 0.0 if is_exact else float(shares[place])
        pairs.append(
            NearDuplicate(
                split, place, images.ids[place], other, double, others.ids[double], distance, is_exact, differ
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
