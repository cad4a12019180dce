"""The nearest pictures of another set, moved by a pixel or mirrored too, and how near unrelated ones come by chance."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from cnnlab.data import ImageSet

RANK = 10
"""The distance to the nearest picture is told as a share of that to the one of this rank."""
_COARSE, _FINE, _SHIFT = 8, 32, 2
"""Pixels of a side by which candidates are found, and by which they are compared, and how far they may be moved."""
_CANDIDATES = 32
"""For each picture as it is, and so many for its mirror image."""
_ROWS = 256
_BY_CHANCE = 0.1
"""So many pictures of a whole split may, by the estimate, have a share below the threshold by chance."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """Of each picture the nearest one of another set.

    :param places: int64, N; ``shares`` N, the distance as a share of that to the one of ``rank``, from 0 to 1.
    :param is_mirrored: bool, N: whether the mirror image is nearer.
    :param rank: 10, or how many there are where these are fewer.
    """

    places: NDArray[np.int64]
    shares: NDArray[np.float64]
    is_mirrored: NDArray[np.bool_]
    rank: int


def grey_pictures(images: ImageSet) -> Tensor:
    """Pictures in grey, uint8 N×h×w, of at most 32×32 pixels, by means over areas; and smoothed over 3×3 of these,
    which takes away what compression and noise have added."""
    made = []
    for chunk in images.chunks():
        grey = chunk.float().mean(1, keepdim=True)
        height, width = grey.shape[-2:]
        if max(height, width) > _FINE:
            grey = interpolate(grey, size=(min(height, _FINE), min(width, _FINE)), mode="area")
        smooth = avg_pool2d(pad(grey, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        made.append(smooth[:, 0].round().to(torch.uint8))
    return torch.cat(made)


def nearest_pictures(pictures: Tensor, others: Tensor) -> Nearest:
    """For each of ``pictures`` which of ``others`` is nearest, as it is or mirrored, and how near.

    Candidates are the nearest at 8×8 pixels, where to be moved by one of the picture's counts for little; they are then
    compared at full size, moved by up to two pixels. Where very many pictures are alike at 8×8, as garments are, one
    that was moved may be missed. The distance is the Euclidean one of what is left of both, at
    mean 0 and length 1: the root of 2 − 2 times their correlation.

    :param pictures, others: of :func:`grey_pictures`; one that is flat is near nothing, and has a share of 1.
    """
    coarse = _coarse_rows(others)
    found = [_nearest_of(part, others, coarse) for part in torch.split(pictures, _ROWS)]
    places, shares, is_mirrored = (torch.cat(each).numpy() for each in zip(*found, strict=True))
    return Nearest(places, shares.astype(np.float64), is_mirrored, min(RANK, len(others)))


def chance_threshold(shares: NDArray[np.float64], rank: int = RANK, by_chance: float = _BY_CHANCE) -> float:
    """The share up to which a nearest picture is nearer than chance would have it in this data.

    Were pictures spread evenly in m dimensions, a share r of the distance to the one of rank k would be undercut with
    probability 1 − (1 − r^m)^(k − 1): of k pictures in a ball the nearest lies in the inner one. The dimension m of the
    data is taken from the shares themselves, and the threshold is the share that by this law ``by_chance`` pictures of
    them all undercut: in data of few dimensions, such as digits, it is smaller than in photographs.

    :param shares: N, of which most are of pictures that have no double.
    """
    spread = np.sort(shares[(shares > 0) & (shares < 1)])
    if rank < 2 or not len(spread):
        return 0.0
    dimension = np.log(1 - 0.5 ** (1 / (rank - 1))) / np.log(np.median(spread))
    return float((1 - (1 - by_chance / len(shares)) ** (1 / (rank - 1))) ** (1 / dimension))


def _nearest_of(pictures: Tensor, others: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Places, shares and whether the mirror image is nearer, of some pictures."""
    own = _coarse_rows(pictures)
    mirrored = own.view(len(own), *_coarse_size(pictures)).flip(2).flatten(1)
    count = min(_CANDIDATES, len(others))
    candidates = torch.cat([(each @ coarse.T).topk(count, dim=1).indices for each in (own, mirrored)], dim=1)
    candidates = candidates.sort(dim=1).values
    likeness, is_mirrored = _likeness(pictures, others[candidates])
    # What is near as it is and mirrored is one picture.
    likeness[:, 1:][candidates[:, 1:] == candidates[:, :-1]] = -2
    best, order = likeness.topk(min(RANK, len(others)), dim=1)
    distances = (2 - 2 * best).clamp_min(0).sqrt()
    shares = distances[:, 0] / distances[:, -1].clamp_min(1e-6)
    shares[own.abs().amax(1) == 0] = 1
    first = order[:, :1]
    return candidates.gather(1, first)[:, 0], shares, is_mirrored.gather(1, first)[:, 0]


def _likeness(pictures: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Correlation of each picture n×h×w with its candidates n×K×h×w, the largest of all ways to lay them on; and
    whether it is that of the mirror image, n×K and n×K."""
    shift = min(_SHIFT, min(pictures.shape[1:]) // 8)
    height, width = (side - 2 * shift for side in pictures.shape[1:])
    both = torch.stack([pictures, pictures.flip(2)], dim=1).float()
    windows = both.unfold(2, height, 1).unfold(3, width, 1).flatten(1, 3).flatten(2)
    middle = candidates[:, :, shift : shift + height, shift : shift + width].flatten(2).float()
    likeness = torch.bmm(_unit(windows), _unit(middle).transpose(1, 2))
    best = likeness.view(len(pictures), 2, -1, candidates.shape[1]).amax(2)
    return best.amax(1), best[:, 1] > best[:, 0]


def _coarse_size(pictures: Tensor) -> tuple[int, int]:
    height, width = pictures.shape[1:]
    return min(height, _COARSE), min(width, _COARSE)


def _coarse_rows(pictures: Tensor) -> Tensor:
    """N×D float32, of mean 0 and length 1; flat ones are 0."""
    size = _coarse_size(pictures)
    parts = torch.split(pictures, 16 * _ROWS)
    small = [interpolate(part[:, None].float(), size=size, mode="area").flatten(1) for part in parts]
    return _unit(torch.cat(small))


def _unit(rows: Tensor) -> Tensor:
    """Rows of mean 0 and length 1."""
    rows = rows - rows.mean(-1, keepdim=True)
    length = rows.norm(dim=-1, keepdim=True)
    # What is less than a grey level is no picture.
    return torch.where(length > 1, rows / length.clamp_min(1), torch.zeros(()))
