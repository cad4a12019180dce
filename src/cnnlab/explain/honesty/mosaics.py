"""Pointing on mosaics: of four pictures of four classes in one, how much of a map falls on that of the class explained.

It needs no boxes. Arias-Duart et al., Focus! Rating XAI methods and finding biases (2022), with two pictures of the
class among four; Böhle et al., Convolutional dynamic alignment networks for interpretable classifications (2021),
section 4.2, with one picture of each class, as here. Chance has a quarter. The network sees pictures of half their
sides, which it may not know again: how often it does is told beside.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.core.number_text import fixed
from cnnlab.evaluation import Estimate, Predictor, predictor_of
from cnnlab.evaluation.intervals import LEVEL
from cnnlab.explain.attribution import Attribution, Model
from cnnlab.explain.honesty.estimates import over_pictures
from cnnlab.explain.honesty.methods import attributed, short_name
from cnnlab.explain.honesty.similarity import Array
from cnnlab.explain.targets import Score, Target
from cnnlab.models import given_pixels, to_float

QUADRANTS = ("top left", "top right", "bottom left", "bottom right")
CHANCE = 1 / len(QUADRANTS)
_BATCH = 256


@dataclass(frozen=True, eq=False)
class Mosaics:
    """Mosaics of four pictures each, of four classes.

    :param images: M×C×H×W float32 in [0, 1], of the size of the pictures that they are made of.
    :param targets: the class in each quadrant, M×4, in the order of :data:`QUADRANTS`.
    :param sources: the place of each among the pictures, M×4; no picture is in two mosaics.
    """

    images: Tensor
    targets: tuple[tuple[Any, ...], ...]
    sources: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)


def mosaics(images: Any, labels: Sequence[Any], *, most: int | None = None, seed: int = 0) -> Mosaics:
    """Mosaics of 2×2 pictures of four different classes, shrunk to half their sides by averaging.

    Classes of which most pictures are left are taken first, so that as many mosaics come about as can; which picture
    goes where is drawn.

    :param images: N×C×H×W, uint8 or float in [0, 1].
    :param labels: of each, N, as a target is named: a class by its index or name, or ``(column, class)``.
    :param most: mosaics at most; as many as there are pictures for unless given.
    :raises UsageError: for pictures of fewer than four classes, or of less than 2×2 pixels.
    """
    shape = tuple(images.shape[1:])
    pixels = to_float(given_pixels(images, shape))
    given = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    if len(given) != len(pixels):
        raise UsageError(f"there are {len(given)} labels for {len(pixels)} pictures: give one for each.")
    if min(shape[1:]) < 2:
        raise UsageError(f"pictures of {shape[1]}×{shape[2]} cannot be shrunk to a quarter.")
    sources = _sources(given, most, seed)
    targets = tuple(tuple(given[place] for place in each) for each in sources)
    return Mosaics(_put_together(pixels, sources), targets, sources)


def _sources(labels: list[Hashable], most: int | None, seed: int) -> npt.NDArray[np.int64]:
    draws = np.random.default_rng(seeds.derive(seed, "mosaics"))
    places = draws.permutation(len(labels)).tolist()
    left: dict[Hashable, list[int]] = {}
    for place in places:
        left.setdefault(labels[place], []).append(place)
    found: list[list[int]] = []
    while most is None or len(found) < most:
        fullest = sorted((name for name in left if left[name]), key=lambda name: -len(left[name]))[: len(QUADRANTS)]
        if len(fullest) < len(QUADRANTS):
            break
        found.append(draws.permutation([left[name].pop() for name in fullest]).tolist())
    if not found:
        raise UsageError(
            f"a mosaic is of pictures of {len(QUADRANTS)} classes, and these are of {len(left)}: give pictures of more."
        )
    return np.array(found, dtype=np.int64)


def quadrants(height: int, width: int) -> npt.NDArray[np.bool_]:
    """Which pixels are in each quadrant, 4×H×W; of odd sides the lower and the right ones are the larger."""
    down, across = np.arange(height) >= height // 2, np.arange(width) >= width // 2
    parts = [(down == bottom)[:, None] & (across == right)[None] for bottom in (False, True) for right in (False, True)]
    return np.stack(parts)


def _put_together(pixels: Tensor, sources: npt.NDArray[np.int64]) -> Tensor:
    height, width = pixels.shape[2:]
    whole = torch.empty(len(sources), *pixels.shape[1:])
    starts = [(top, left) for top in (0, height // 2) for left in (0, width // 2)]
    for number, (top, left) in enumerate(starts):
        size = (height - height // 2 if top else height // 2, width - width // 2 if left else width // 2)
        small = F.adaptive_avg_pool2d(pixels[torch.from_numpy(sources[:, number])].float(), size)
        whole[:, :, top : top + size[0], left : left + size[1]] = small
    return whole


@dataclass(frozen=True, eq=False)
class Pointing:
    """How much of a method's maps falls on the right quarter of mosaics.

    :param method: its spec; ``layer`` that it is of, if any.
    :param shares: of what a map shows above 0, M×4: for each quadrant the share that falls within it of the map for its
        class. That of a blank map is a quarter, as of a map that knows nothing.
    :param hits: whether the largest value lies within it, M×4 (the pointing game; Zhang et al. 2018).
    :param recognised: whether its class is among the four that the network finds most likely, M×4; a network that
        guesses has it there as often as four of its classes are of all, ``guessed``.
    :param blank: maps without anything above 0.
    :param level: of the intervals, which are over mosaics.
    """

    method: str
    layer: str | None
    shares: Array
    hits: npt.NDArray[np.bool_]
    recognised: npt.NDArray[np.bool_]
    guessed: float
    blank: int
    level: float = LEVEL

    @property
    def share(self) -> Estimate:
        """The mean share; chance has a quarter."""
        return over_pictures(self.shares.mean(1), level=self.level, within=(0.0, 1.0), units="mosaics")

    @property
    def gain(self) -> Estimate:
        """How much more that is than chance has."""
        return over_pictures(self.shares.mean(1) - CHANCE, level=self.level, units="mosaics")

    @property
    def hit_rate(self) -> Estimate:
        """How often the largest value lies in the right quadrant."""
        return over_pictures(self.hits.mean(1), level=self.level, within=(0.0, 1.0), units="mosaics")

    @property
    def recognition(self) -> Estimate:
        """How often the network has the classes of a mosaic among its first four."""
        return over_pictures(self.recognised.mean(1), level=self.level, within=(0.0, 1.0), units="mosaics")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know: blank maps, and a network that does not know the pictures of a mosaic again."""
        said = []
        if self.blank:
            said.append(f"{self.blank} of {self.shares.size} maps show nothing above 0, and count as chance")
        known = self.recognition
        if self.guessed < 1 and (known.interval is None or known.interval.low <= self.guessed) and known.value < 1:
            said.append(
                f"the network knows the shrunk pictures of a mosaic again in {fixed(100 * known.value, 0)}% of cases, "
                f"and would in {fixed(100 * self.guessed, 0)}% by guessing, so that pointing says little of its maps"
            )
        return tuple(said)


def pointing(
    model: Model,
    tiles: Mosaics,
    method: object = "grad-cam",
    layer: str | None = None,
    *,
    score: Score = "output",
    level: float = LEVEL,
    device: str | None = None,
) -> Pointing:
    """How much of what a method shows above 0 falls on the quarter of the class explained, of mosaics.

    Every mosaic is explained four times, once for each of its classes, so that no quadrant is favoured, and a map
    that is the same for every class has a quarter exactly. What is shown is that of
    :meth:`~cnnlab.explain.Attribution.scaled`: of mere gradients the magnitude. The model is left as it was found.

    :param tiles: of :func:`mosaics`; other arguments as of :func:`~cnnlab.explain.attribute`.
    """
    predictor = predictor_of(model, device=device)
    masks = quadrants(*tiles.images.shape[2:])
    shares, hits, layers, blank = [], [], [], 0
    with predictor.placed() as placed:
        for number, mask in enumerate(masks):
            targets = [each[number] for each in tiles.targets]
            found = attributed(placed, tiles.images, method, targets, layer, score=score, device=predictor.device)
            share, is_empty = _share_within(found, mask)
            shares.append(share)
            hits.append(_hits(found, mask))
            layers.append(found.layer)
            blank += int(is_empty.sum())
    recognised, guessed = _recognised(predictor, tiles)
    return Pointing(
        method=short_name(method),
        layer=layers[0],
        shares=np.stack(shares, axis=1),
        hits=np.stack(hits, axis=1),
        recognised=recognised,
        guessed=guessed,
        blank=blank,
        level=level,
    )


def _share_within(found: Attribution, mask: npt.NDArray[np.bool_]) -> tuple[Array, npt.NDArray[np.bool_]]:
    shown = found.scaled().clip(min=0).astype(np.float64)
    whole = shown.sum((1, 2))
    is_empty = whole == 0
    share = np.divide(shown[:, mask].sum(1), whole, out=np.full(len(shown), CHANCE), where=~is_empty)
    return share, is_empty


def _hits(found: Attribution, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    shown = found.scaled()
    # A value that is shared by several quadrants points to none of them.
    within, outside = shown[:, mask].max(1), shown[:, ~mask].max(1)
    return np.asarray((within > outside) & (within > 0))


def _recognised(predictor: Predictor, tiles: Mosaics) -> tuple[npt.NDArray[np.bool_], float]:
    """Whether each class is among the four of the largest outputs of its head, M×4, and how often by guessing."""
    outputs = predictor.outputs(torch.split(tiles.images, _BATCH))
    columns, guesses = [], []
    for number in range(len(QUADRANTS)):
        chosen = Target(predictor.classifier, [each[number] for each in tiles.targets], len(tiles)).chosen(outputs)
        own = [outputs[row, head.outputs] for row, head in enumerate(chosen.heads)]
        columns.append(
            [int((each > each[at]).sum()) < len(QUADRANTS) for each, at in zip(own, chosen.indices, strict=True)]
        )
        guesses += [min(1.0, len(QUADRANTS) / head.width) for head in chosen.heads]
    return np.array(columns).T, float(np.mean(guesses))
