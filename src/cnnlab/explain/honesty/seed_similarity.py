"""How much of a heat map is the seed: one method on several trainings of a recipe."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.core.number_text import counted, fixed
from cnnlab.evaluation import Estimate, predictor_of
from cnnlab.evaluation.intervals import LEVEL
from cnnlab.explain.attribution import Attribution, Model
from cnnlab.explain.honesty.estimates import over_pictures, ratio_over_pictures
from cnnlab.explain.honesty.methods import attributed, settled_targets, short_name
from cnnlab.explain.honesty.similarity import SIMILARITIES, Array, Similarity, similarities
from cnnlab.explain.targets import Score
from cnnlab.models import Predictable, given_pixels

_DIGITS = 2


@dataclass(frozen=True, eq=False)
class SeedSimilarity:
    """How alike the maps of one picture are in several trainings, beside those of two pictures in one training.

    :param method: its spec; ``layer`` that it is of, if any.
    :param models: what each was called.
    :param pairs: of models, P×2, by their places.
    :param between_seeds: by its measure (see ``honesty.similarity.SIMILARITIES``), pairs × pictures.
    :param between_pictures: the same of each picture's map and another's in one training, models × pictures: the
        reference.
    :param agreed: whether all models predict alike, N; all explain what the first predicts, or what was asked for.
    :param level: of the intervals, which are over pictures, for these trainings.
    """

    method: str
    layer: str | None
    models: tuple[str, ...]
    pairs: npt.NDArray[np.int64]
    between_seeds: dict[Similarity, Array]
    between_pictures: dict[Similarity, Array]
    agreed: npt.NDArray[np.bool_]
    level: float = LEVEL

    def similarity(self, measure: Similarity = "absolute") -> Estimate:
        """The mean likeness of one picture's maps in two trainings."""
        return over_pictures(_mean(self.between_seeds[measure]), level=self.level, within=(-1.0, 1.0))

    def reference(self, measure: Similarity = "absolute") -> Estimate:
        """The mean likeness of two pictures' maps in one training."""
        return over_pictures(_mean(self.between_pictures[measure]), level=self.level, within=(-1.0, 1.0))

    def seed_share(self, measure: Similarity = "absolute") -> Estimate:
        """How much of a map is the seed: (1 - likeness between seeds) / (1 - likeness between pictures).

        0 where every training gives the same map; 1 where that of another training is no more alike than that of
        another picture.
        """
        above = 1 - _mean(self.between_seeds[measure])
        return ratio_over_pictures(above, 1 - _mean(self.between_pictures[measure]), level=self.level)

    @property
    def sentence(self) -> str:
        """What is to be said under such maps, with its uncertainty."""
        seeds_alike, others = self.similarity(), self.reference()
        share = self.seed_share()
        of_seed = "" if math.isnan(share.value) else f" By this, {_percent(share)} of a map is the seed."
        return (
            f"Over {counted(len(self.models), 'training')}, maps by {self.method} of one picture have a rank "
            f"correlation of {_told(seeds_alike)} with one another, those of two pictures in one training "
            f"{_told(others)} ({counted(len(self.agreed), 'picture')}).{of_seed}"
        )


def _mean(table: Array) -> Array:
    """Over pairs or models, N; NaN only where none is defined."""
    is_known = np.isfinite(table)
    counts = is_known.sum(0)
    total = np.where(is_known, table, 0.0).sum(0)
    mean: Array = np.divide(total, counts, out=np.full(table.shape[1], math.nan), where=counts > 0)
    return mean


def _told(found: Estimate) -> str:
    interval = found.interval
    ends = "" if interval is None else f" ({fixed(interval.low, _DIGITS)} to {fixed(interval.high, _DIGITS)})"
    return f"{fixed(found.value, _DIGITS)}{ends}"


def _percent(found: Estimate) -> str:
    interval = found.interval
    ends = "" if interval is None else f" ({fixed(100 * interval.low, 0)} to {fixed(100 * interval.high, 0)}%)"
    return f"{fixed(100 * found.value, 0)}%{ends}"


def seed_similarity(
    models: Sequence[Model],
    images: Any,
    method: object = "grad-cam",
    target: Any = None,
    layer: str | None = None,
    *,
    score: Score = "output",
    seed: int = 0,
    level: float = LEVEL,
    device: str | None = None,
) -> SeedSimilarity:
    """How alike the maps of several trainings are, such as repeats of a recipe with other seeds.

    The same class is explained in all of them: what is asked for, or what the first predicts. Models are left as they
    were found.

    :param models: two or more, of the same pictures and classes; other arguments as of
        :func:`~cnnlab.explain.attribute`.
    :param images: two or more, for each is set beside another.
    :param seed: by which that other is drawn.
    :raises UsageError: for fewer models or pictures, or models that do not belong together.
    """
    if isinstance(models, str) or len(models) < 2:
        raise UsageError("how much of a map is the seed is seen from two trainings or more: give a list of them.")
    found: list[Attribution] = []
    predicted: list[list[Any]] = []
    names: list[str] = []
    first: Predictable | None = None
    for model in models:
        predictor = predictor_of(model, device=device)
        own = predictor.classifier
        if first is not None:
            _check_alike(first, own)
        pixels = given_pixels(images, own.shape)
        if len(pixels) < 2:
            raise UsageError("two pictures or more are wanted: each map is set beside that of another picture.")
        with predictor.placed() as placed:
            wanted = settled_targets(found[0], own) if found else target
            found.append(attributed(placed, pixels, method, wanted, layer, score=score, device=predictor.device))
            said = attributed(placed, pixels, "random", None, None, device=predictor.device)
        predicted.append(settled_targets(said, own))
        names.append(predictor.label)
        first = first or own
    pairs = list(combinations(range(len(found)), 2))
    seeds_alike = [similarities(found[one], found[other]) for one, other in pairs]
    pictures_alike = [similarities(each, _of_others(each, seed)) for each in found]
    return SeedSimilarity(
        method=short_name(method),
        layer=found[0].layer,
        models=tuple(names),
        pairs=np.array(pairs, dtype=np.int64),
        between_seeds={name: np.stack([each[name] for each in seeds_alike]) for name in SIMILARITIES},
        between_pictures={name: np.stack([each[name] for each in pictures_alike]) for name in SIMILARITIES},
        agreed=np.array([len(set(each)) == 1 for each in zip(*predicted, strict=True)]),
        level=level,
    )


def _of_others(found: Attribution, seed: int) -> Attribution:
    """The maps of other pictures in the place of each: everyone's next in a circle that is drawn."""
    circle = np.random.default_rng(seeds.derive(seed, "other pictures")).permutation(len(found))
    other = np.empty(len(found), dtype=np.int64)
    other[circle] = np.roll(circle, -1)
    return replace(found, values=found.values[other])


def _check_alike(first: Predictable, other: Predictable) -> None:
    if (first.shape, first.objective, first.classes) != (other.shape, other.objective, other.classes):
        raise UsageError(
            "the models do not belong together: they take other pictures, or tell other classes apart. Give repeats of "
            "one recipe."
        )
