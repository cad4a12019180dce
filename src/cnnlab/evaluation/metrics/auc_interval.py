"""Areas under ROC curves and how sure they are: DeLong's variance, and what each picture has to do with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnlab.evaluation.intervals import LEVEL, Estimate, Interval
from cnnlab.evaluation.metrics.class_probabilities import Array, ClassPredictions
from cnnlab.evaluation.student_t import t_quantile, welch_satterthwaite


@dataclass(frozen=True, eq=False)
class AucParts:
    """An area, and the part that each score has in its deviation from the true one.

    :param parts: N; their squares add up to the variance of the area (DeLong, DeLong and Clarke-Pearson, Comparing the
        areas under two or more correlated receiver operating characteristic curves, 1988). NaN where the class, or the
        rest, has a single score.
    :param is_own: N, which scores are of the class's own pictures.
    """

    auc: float
    parts: Array
    is_own: npt.NDArray[np.bool_]

    @property
    def own(self) -> int:
        """How many scores are of the class's own pictures."""
        return int(self.is_own.sum())

    @property
    def others(self) -> int:
        """How many are of the rest."""
        return len(self.is_own) - self.own

    @property
    def pairs(self) -> int:
        """How many pairs there are, of one of the class and one of the rest, that share no picture."""
        return min(self.own, self.others)


@dataclass(frozen=True)
class ClassAreas:
    """The areas under the ROC curves of each class against the rest.

    :param by_class: by its name; NaN where the class is absent, or there is no other.
    :param mean: over the classes that have one, each counting alike (the macro average).
    """

    by_class: Mapping[str, Estimate]
    mean: Estimate


def class_areas(repeats: Sequence[ClassPredictions], level: float = LEVEL) -> ClassAreas:
    """Areas of several trainings on the same pictures: the means over them. Of one training, its own.

    Intervals are over other pictures like these, for these very classifiers: each picture has a part in all areas.
    There is none for a class that has a single picture, nor for the mean then.

    :raises ValueError: when the repeats are of different pictures.
    """
    first = repeats[0]
    if any(not np.array_equal(one.labels, first.labels) for one in repeats):
        raise ValueError("areas are taken together of predictions of the same pictures")
    by_class: dict[str, Estimate] = {}
    total, pairs, areas = np.zeros(len(first)), [], []
    for place, name in enumerate(first.names):
        is_own = first.labels == place
        by_class[name] = Estimate(float("nan"))
        if is_own.all() or not is_own.any():
            continue
        found = _mean_over_repeats([auc_parts(one.probabilities[:, place], is_own) for one in repeats])
        by_class[name] = Estimate(found.auc, auc_interval(found, level))
        total += found.parts
        areas.append(found.auc)
        pairs.append(found.pairs)
    if not areas:
        return ClassAreas(by_class, Estimate(float("nan")))
    auc = float(np.mean(areas))
    return ClassAreas(by_class, Estimate(auc, _of_images(auc, total / len(areas), min(pairs), level)))


def auc_parts(scores: Array, is_own: npt.NDArray[np.bool_]) -> AucParts:
    """From ranks, equal scores sharing theirs, of at least one score on either side.

    The share of the others that a picture of the class ranks above, and the share of its own that one of the others
    ranks below, vary about the area independently of each other.
    """
    own, others = int(is_own.sum()), int((~is_own).sum())
    ranks = _ranks(scores)
    above = (ranks[is_own] - _ranks(scores[is_own])) / others
    below = 1 - (ranks[~is_own] - _ranks(scores[~is_own])) / own
    auc = float(above.mean())
    parts = np.full(len(scores), np.nan)
    if min(own, others) > 1:
        parts[is_own] = (above - auc) / np.sqrt(own * (own - 1))
        parts[~is_own] = (below - auc) / np.sqrt(others * (others - 1))
    return AucParts(auc, parts, is_own)


def auc_interval(found: AucParts, level: float = LEVEL) -> Interval | None:
    """That of one class against the rest: DeLong's variance of the log odds of the area.

    Student's t stands in for the normal, with the degrees of freedom of Satterthwaite, as in the test of Brunner and
    Munzel (2000): a class may have few pictures. Coverage by simulation is in ``benchmarks/results``.

    :returns: None with a single score on either side, which tells no spread.
    """
    if found.pairs < 2:
        return None
    counts, images = (found.own, found.others), len(found.parts)
    squares = [float((found.parts[side] ** 2).sum()) for side in (found.is_own, ~found.is_own)]
    if not any(squares):
        return _without_a_mistake(found.auc, found.pairs, images, level)
    error, df = welch_satterthwaite((squares[0] * counts[0], squares[1] * counts[1]), counts)
    return _by_log_odds(found.auc, error**2, t_quantile(level, df), images, level)


def pooled_auc_interval(found: AucParts, images: int, level: float = LEVEL) -> Interval | None:
    """That of an area over all classes' scores ranked together: the parts of one picture belong together."""
    return _of_images(found.auc, found.parts.reshape(images, -1).sum(axis=1), images // 2, level)


def _mean_over_repeats(repeats: Sequence[AucParts]) -> AucParts:
    auc = float(np.mean([found.auc for found in repeats]))
    return AucParts(auc, np.mean([found.parts for found in repeats], axis=0), repeats[0].is_own)


def _ranks(scores: Array) -> Array:
    """From 1, equal scores sharing the mean of theirs."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def area_over_images(
    auc: float, variance: float, pairs: int, images: int, level: float = LEVEL, *, df: float
) -> Interval:
    """The interval of an area that varies so much by its pictures, on the scale of log odds.

    :param pairs: as many pairs as there are, of one of the class and one of the rest, that share no picture.
    :param df: with which the variance is known.
    """
    if not variance or not 0 < auc < 1:
        return _without_a_mistake(auc, pairs, images, level)
    return _by_log_odds(auc, variance, t_quantile(level, df), images, level)


def _of_images(auc: float, parts: Array, pairs: int, level: float) -> Interval | None:
    variance = float((parts**2).sum())
    return None if np.isnan(variance) else area_over_images(auc, variance, pairs, len(parts), level, df=len(parts) - 1)


def _by_log_odds(auc: float, variance: float, critical: float, images: int, level: float) -> Interval:
    middle = np.log(auc / (1 - auc))
    half = critical * np.sqrt(variance) / (auc * (1 - auc))
    low, high = (float(1 / (1 + np.exp(-end))) for end in (middle - half, middle + half))
    return Interval(low, high, level, f"DeLong, {images} pictures", "pictures")


def _without_a_mistake(auc: float, pairs: int, images: int, level: float) -> Interval:
    """Where all are ranked rightly, so are as many pairs as there are that share no picture, each by itself.

    These are independent, and all right with the probability auc ** pairs; the interval holds every area under which
    that is not too rare (Clopper and Pearson, 1934).
    """
    least = ((1 - level) / 2) ** (1 / max(1, pairs))
    low, high = (least, 1.0) if auc > 0.5 else (0.0, 1 - least)
    return Interval(low, high, level, f"exact, {images} pictures and no pair misranked", "pictures")
