"""The cross-validated score of a recipe, and how sure it is when folds share their training pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import variance

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.intervals import LEVEL, Interval, least_variance
from cnnlab.evaluation.student_t import checked_level, t_quantile


@dataclass(frozen=True)
class FoldScore:
    """How one network does on the fold that it was not trained on.

    :param value: of the metric; ``held_out`` pictures it was taken on, ``trained`` those that were trained on.
    """

    value: float
    held_out: int
    trained: int


def cross_validated(folds: Sequence[FoldScore]) -> float:
    """The mean over folds, each counted by its pictures: of a mean over pictures, such as accuracy, the mean over all.

    :raises UsageError: when there are no folds.
    """
    total = sum(fold.held_out for fold in folds)
    if not total:
        raise UsageError("a cross-validated score is of folds that hold pictures, and there are none.")
    return sum(fold.value * fold.held_out for fold in folds) / total


def corrected_interval(
    folds: Sequence[FoldScore],
    level: float = LEVEL,
    within: tuple[float, float] | None = None,
    step: float = 0.0,
) -> Interval | None:
    """Nadeau and Bengio's corrected t interval (Inference for the Generalization Error, 2003, section 4) of the score.

    Networks of different folds were trained for the most part on the same pictures, so their scores scatter less than
    those of networks that are trained independently. The variance of the mean is taken for s² · (1/k + q), where s is
    the standard deviation of the k scores and q the pictures held out to those trained on, 1/(k - 1); the plain t
    interval has s²/k. With k folds there are k - 1 degrees of freedom.

    It is of the score that the recipe has on average, trained on as many pictures as here, over other trainings and
    other pictures. That it covers it as often as it says is an approximation: no unbiased estimate of this variance
    can be had of one cross-validation (Bengio and Grandvalet 2004). ``benchmarks/results/cross-validation.md`` has how
    often it does.

    :param within: what the score can be at all, such as (0, 1) for an accuracy.
    :param step: in which values are counted, such as one picture of n; see
        :func:`~cnnlab.evaluation.intervals.least_variance`.
    :returns: None where there are fewer than two folds with a score, or they do not vary and have no step.
    """
    known = [fold for fold in folds if math.isfinite(fold.value)]
    if len(known) < 2 or len(known) < len(folds):
        return None
    spread = max(variance([fold.value for fold in known]), least_variance(step))
    if not spread:
        return None
    ratio = sum(fold.held_out / fold.trained for fold in known) / len(known)
    half = t_quantile(level, len(known) - 1) * math.sqrt(spread * (1 / len(known) + ratio))
    middle, method = cross_validated(known), f"corrected t over {len(known)} folds"
    result = Interval(middle - half, middle + half, checked_level(level), method, "repeats and pictures")
    return result if within is None else result.within(*within)
