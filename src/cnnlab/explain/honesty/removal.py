"""Deletion and insertion curves: what becomes of the answer as pixels go, or come, in the order that a map has them.

Petsiuk et al., RISE: Randomized input sampling for explanation of black-box models (2018), section 4.1. Where a map
names first what the answer hangs on, deleting in its order soon takes the answer away and inserting soon brings it
back. Pictures with pixels taken out are unlike any that the network learned from, which moves a curve by itself; a
random order of the same pixels does so too, and is the measure for what a map knows.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.evaluation import Estimate, Predictor, looking, predictor_of
from cnnlab.evaluation.intervals import LEVEL
from cnnlab.explain.attribution import Attribution, Model
from cnnlab.explain.baselines import Baseline, baseline_pixels, given_baseline
from cnnlab.explain.batches import Batch, batches_of, in_passes
from cnnlab.explain.honesty.estimates import ANYWHERE, over_pictures
from cnnlab.explain.honesty.methods import attributed, settled_targets, short_name
from cnnlab.explain.honesty.similarity import Array
from cnnlab.explain.layers import passes_of
from cnnlab.explain.targets import Score, Target
from cnnlab.models import Predictable, given_pixels, heads_of, on_device

Removal: TypeAlias = Literal["deletion", "insertion"]
REMOVALS: tuple[Removal, ...] = ("deletion", "insertion")
_BLUR = 8
"""A blurred picture is one smoothed with a deviation of this part of its shorter side."""
_REACH = 3
"""Deviations to either side that the smoothing reaches."""


@dataclass(frozen=True, eq=False)
class RemovalCurves:
    """The score of each picture as its pixels are deleted, and inserted, in the order of a map and in random ones.

    :param method: its spec; ``layer`` that it is of, if any.
    :param target_names: what was explained, and is scored, N.
    :param score: ``probability`` or ``output``.
    :param shares: of the pixels that are deleted or inserted, S, from 0 to 1.
    :param scores: by way of removal, N×S.
    :param random_scores: the same in random orders, draws × N×S; every picture and draw has an order of its own.
    :param baselines: by way of removal, what is in the place of a pixel that is not seen.
    :param level: of the intervals.
    """

    method: str
    layer: str | None
    target_names: tuple[str, ...]
    score: Score
    shares: Array
    scores: dict[Removal, Array]
    random_scores: dict[Removal, Array]
    baselines: dict[Removal, str]
    level: float = LEVEL
    notes: tuple[str, ...] = ()

    @property
    def within(self) -> tuple[float, float]:
        """Where a score lies, and so the mean of several and the area under their curve."""
        return (0.0, 1.0) if self.score == "probability" else ANYWHERE

    def areas(self, way: Removal) -> Array:
        """The area under each picture's curve, N; of deletion a small one is good, of insertion a large one."""
        return _area(self.scores[way], self.shares)

    def random_areas(self, way: Removal) -> Array:
        """The areas under curves of random orders, draws × N."""
        return _area(self.random_scores[way], self.shares)

    def area(self, way: Removal) -> Estimate:
        """The mean area over pictures."""
        return self._mean(self.areas(way))

    def random_area(self, way: Removal) -> Estimate:
        """The mean area of random orders over pictures."""
        return self._mean(self.random_areas(way).mean(0))

    def gains(self, way: Removal) -> Array:
        """By how much each picture's area is better than the mean of its random orders, N; above 0 is better."""
        sign = -1 if way == "deletion" else 1
        gains: Array = sign * (self.areas(way) - self.random_areas(way).mean(0))
        return gains

    def gain(self, way: Removal) -> Estimate:
        """The mean of :meth:`gains`, paired by picture; with 0 in its interval not told apart from chance."""
        return over_pictures(self.gains(way), level=self.level)

    def curve(self, way: Removal) -> list[Estimate]:
        """The mean score at each share."""
        return [self._mean(column) for column in self.scores[way].T]

    def random_curve(self, way: Removal) -> list[Estimate]:
        """The mean score at each share in random orders."""
        return [self._mean(column) for column in self.random_scores[way].mean(0).T]

    def _mean(self, values: Array) -> Estimate:
        return over_pictures(values, level=self.level, within=self.within)


def removal_curves(
    model: Model,
    images: Any,
    method: object = "grad-cam",
    target: Any = None,
    layer: str | None = None,
    *,
    steps: int = 32,
    draws: int = 5,
    deletion_baseline: "Baseline | Literal['blur']" = "mean",
    insertion_baseline: "Baseline | Literal['blur']" = "blur",
    score: Score | None = None,
    explained: Score = "output",
    seed: int = 0,
    level: float = LEVEL,
    device: str | None = None,
) -> RemovalCurves:
    """Deletion and insertion curves of a method, and of random orders (Petsiuk et al. 2018, section 4.1).

    Pixels go in the order of the raw map, the largest value first; of mere gradients, by magnitude. Equal values
    are put in a random order. The model is left as it was found.

    :param method: one of :data:`~cnnlab.explain.ATTRIBUTIONS`, a control, or an :class:`~cnnlab.explain.Attribution` of
        these pictures; other arguments as of :func:`~cnnlab.explain.attribute`.
    :param steps: into which the pixels are divided.
    :param draws: of random orders of each picture, by ``seed``.
    :param deletion_baseline: in the place of a pixel that is deleted: a number from 0 (black) to 1, ``mean`` for the
        mean colour of the training, ``blur`` for the picture smoothed by an eighth of its shorter side, or pictures.
    :param insertion_baseline: in the place of one that is not inserted yet. The paper inserts into a blurred picture,
        whose borders give nothing away.
    :param score: what is scored, ``probability`` or the raw ``output``; the probability unless a number is predicted.
    :param explained: the score that the maps are of.
    """
    _check_counts(steps, draws)
    predictor = predictor_of(model, device=device)
    pixels = given_pixels(images, predictor.classifier.shape)
    with predictor.placed() as placed:
        options: dict[str, Any] = {"score": explained, "device": predictor.device}
        found = (
            method if isinstance(method, Attribution) else attributed(placed, pixels, method, target, layer, **options)
        )
        _check_pictures(found, pixels)
        wanted = Target(placed, settled_targets(found, placed), len(pixels), score or _likeliest_score(placed, found))
    maps = found.maps()
    orders = [_order(maps, seed), *(_order(np.zeros_like(maps), seed, draw) for draw in range(draws))]
    counts = _counts(maps[0].size, steps)
    baselines: dict[Removal, Any] = {"deletion": deletion_baseline, "insertion": insertion_baseline}
    scores = _scores(predictor, pixels, wanted, orders, counts, baselines)
    return RemovalCurves(
        method=short_name(method),
        layer=found.layer,
        target_names=found.target_names,
        score=wanted.score,
        shares=counts.numpy() / maps[0].size,
        scores={way: values[0] for way, values in scores.items()},
        random_scores={way: values[1:] for way, values in scores.items()},
        baselines={way: _name(each) for way, each in baselines.items()},
        level=level,
        notes=found.notes,
    )


def _check_counts(steps: int, draws: int) -> None:
    for name, count, least in (("steps", steps, 1), ("draws", draws, 0)):
        if count < least:
            raise UsageError(f"{name} is {least} or more; got {count}.")


def _check_pictures(found: Attribution, pixels: Tensor) -> None:
    if found.maps().shape != (len(pixels), *pixels.shape[2:]):
        raise UsageError(f"the attribution is of other pictures: {found!r} for {len(pixels)} of them.")


def _area(scores: Array, shares: Array) -> Array:
    """By the trapezoidal rule, along the last axis."""
    area: Array = np.asarray(np.trapezoid(scores, shares, axis=-1), dtype=np.float64)
    return area


def _likeliest_score(model: Predictable, found: Attribution) -> Score:
    """The probability of what was explained, unless that is a number, which has none."""
    _, heads = heads_of(model)
    of_numbers = {head.name for head in heads if not head.has_classes}
    is_number = len(heads) == 1 and bool(of_numbers)
    explained = {name.partition("=")[0] for name in found.target_names}
    return "output" if is_number or explained & of_numbers else "probability"


def _counts(pixels: int, steps: int) -> Tensor:
    """How many pixels are taken after each step."""
    return torch.linspace(0, pixels, min(steps, pixels) + 1, dtype=torch.float64).round().long()


def _order(maps: Any, seed: int, draw: int | None = None) -> Tensor:
    """The place of each pixel in its picture's order, N×H×W: 0 for the largest value; equal ones in random order."""
    values = torch.from_numpy(np.nan_to_num(maps, nan=-np.inf)).flatten(1)
    purpose = "ties" if draw is None else "order"
    index = () if draw is None else (draw,)
    by_chance = torch.stack(
        [
            torch.randperm(values.shape[1], generator=seeds.generator(seed, purpose, *index, place))
            for place in range(len(values))
        ]
    )
    sequence = by_chance.gather(1, values.gather(1, by_chance).argsort(dim=1, descending=True, stable=True))
    places = torch.empty_like(sequence)
    places.scatter_(1, sequence, torch.arange(values.shape[1]).expand_as(sequence).contiguous())
    return places.view(maps.shape)


def _scores(
    predictor: Predictor,
    pixels: Tensor,
    wanted: Target,
    orders: list[Tensor],
    counts: Tensor,
    baselines: dict[Removal, Any],
) -> dict[Removal, Array]:
    """By way of removal, orders × N × S."""
    found: dict[Removal, list[Array]] = {way: [] for way in REMOVALS}
    with looking(predictor) as placed, torch.no_grad():
        passes = passes_of(placed, on_device(pixels[:1], placed))
        for batch in batches_of(placed, pixels, wanted, (), passes, keeps_maps=False):
            rows = slice(batch.start, batch.start + len(batch))
            own = [order[rows].to(batch.pixels.device) for order in orders]
            for way in REMOVALS:
                base = _canvas(batch, baselines[way])
                found[way].append(np.stack([_curve(batch, order, base, counts, way) for order in own]))
    return {way: np.concatenate(parts, axis=1) for way, parts in found.items()}


def _curve(batch: Batch, order: Tensor, base: Tensor, counts: Tensor, way: Removal) -> Array:
    """The scores of some pictures, N×S, with pixels of each taken in its order."""
    seen, unseen = (base, batch.pixels) if way == "deletion" else (batch.pixels, base)
    scores = batch.pixels.new_zeros(len(batch), len(counts), dtype=torch.float64)
    taken = counts.to(order.device)
    for rows, steps in in_passes(len(batch), len(counts), batch.most, order.device):
        is_taken = (order[rows] < taken[steps, None, None])[:, None]
        scores[rows, steps] = batch.score_quickly(torch.where(is_taken, seen[rows], unseen[rows]), rows).double()
    return np.asarray(scores.cpu().numpy(), dtype=np.float64)


def _canvas(batch: Batch, baseline: Any) -> Tensor:
    """What is in the place of pixels that are not seen, N×C×H×W."""
    if isinstance(baseline, str) and baseline == "blur":
        return _blurred(batch.pixels)
    if isinstance(baseline, str) and baseline != "mean":
        raise UsageError(f"a baseline is a number from 0 to 1, mean, blur, or pictures; got {baseline!r}.")
    return baseline_pixels(batch, baseline)


def _blurred(pixels: Tensor) -> Tensor:
    """Pictures smoothed by a Gaussian of an eighth of their shorter side; they go on beyond the border as they end."""
    sigma = min(pixels.shape[2:]) / _BLUR
    reach = max(1, math.ceil(_REACH * sigma))
    places = torch.arange(-reach, reach + 1, dtype=torch.float32, device=pixels.device)
    weights = torch.exp(-(places**2) / (2 * sigma**2))
    weights = weights / weights.sum()
    channels = pixels.shape[1]
    padded = F.pad(pixels.float(), (reach,) * 4, mode="replicate")
    down = F.conv2d(padded, weights.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    both = F.conv2d(down, weights.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    return both.to(pixels)


def _name(baseline: Any) -> str:
    if given_baseline(baseline) is not None:
        return "pictures that were given"
    return {"mean": "the mean colour of the training", "blur": "the picture, blurred"}.get(
        str(baseline), f"{float(baseline):g}" if not isinstance(baseline, str) else baseline
    )
