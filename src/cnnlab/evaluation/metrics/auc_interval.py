"""How sure an area under the ROC curve is: DeLong's variance, and what each picture has to do with it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnlab.evaluation.intervals import LEVEL, Interval
from cnnlab.evaluation.metrics.class_probabilities import Array
from cnnlab.evaluation.student_t import t_quantile, welch_satterthwaite


@dataclass(frozen=True, eq=False)
class AucParts:
    """An area, and the part that each score has in its deviation from the true one.

    :param parts: N; their squares add up to the variance of the area (DeLong, DeLong and Clarke-Pearson, Comparing the
        areas under two or more correlated receiver operating characteristic curves, 1988).
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


def auc_parts(scores: Array, is_own: npt.NDArray[np.bool_]) -> AucParts | None:
    """From ranks, equal scores sharing theirs; None with fewer than two scores on either side.

    The share of the others that a picture of the class ranks above, and the share of its own that one of the others
    ranks below, vary about the area independently of each other.
    """
    from scipy.stats import rankdata

    own, others = int(is_own.sum()), int((~is_own).sum())
    if min(own, others) < 2:
        return None
    ranks = rankdata(scores)
    above = (ranks[is_own] - rankdata(scores[is_own])) / others
    below = 1 - (ranks[~is_own] - rankdata(scores[~is_own])) / own
    auc = float(above.mean())
    parts = np.empty(len(scores))
    parts[is_own] = (above - auc) / np.sqrt(own * (own - 1))
    parts[~is_own] = (below - auc) / np.sqrt(others * (others - 1))
    return AucParts(auc, parts, is_own)


def auc_interval(found: AucParts, level: float = LEVEL) -> Interval:
    """That of one class against the rest: DeLong's variance of the log odds of the area.

    Student's t stands in for the normal, with the degrees of freedom of Satterthwaite, as in the test of Brunner and
    Munzel (2000): a class may have few pictures. Coverage by simulation is in ``benchmarks/results``.
    """
    counts = (found.own, found.others)
    squares = [float((found.parts[side] ** 2).sum()) for side in (found.is_own, ~found.is_own)]
    if not any(squares):
        return _without_a_mistake(found.auc, min(counts), level)
    error, df = welch_satterthwaite((squares[0] * counts[0], squares[1] * counts[1]), counts)
    return _by_log_odds(found.auc, error**2, t_quantile(level, df), level)


def mean_auc_interval(classes: list[AucParts], level: float = LEVEL) -> Interval:
    """That of the mean area of several classes, each picture having a part in all of them."""
    auc = float(np.mean([found.auc for found in classes]))
    parts = np.mean([found.parts for found in classes], axis=0)
    return _of_images(auc, parts, min(min(found.own, found.others) for found in classes), level)


def pooled_auc_interval(found: AucParts, images: int, level: float = LEVEL) -> Interval:
    """That of an area over all classes' scores ranked together: the parts of one picture belong together."""
    return _of_images(found.auc, found.parts.reshape(images, -1).sum(axis=1), images // 2, level)


def _of_images(auc: float, parts: Array, pairs: int, level: float) -> Interval:
    variance = float((parts**2).sum())
    if not variance or not 0 < auc < 1:
        return _without_a_mistake(auc, pairs, level)
    return _by_log_odds(auc, variance, t_quantile(level, len(parts) - 1), level)


def _by_log_odds(auc: float, variance: float, critical: float, level: float) -> Interval:
    middle = np.log(auc / (1 - auc))
    half = critical * np.sqrt(variance) / (auc * (1 - auc))
    low, high = (float(1 / (1 + np.exp(-end))) for end in (middle - half, middle + half))
    return Interval(low, high, level, "DeLong, log odds")


def _without_a_mistake(auc: float, pairs: int, level: float) -> Interval:
    """Where all are ranked rightly, so are as many pairs as there are that share no picture, each by itself.

    These are independent, and all right with the probability auc ** pairs; the interval holds every area under which
    that is not too rare (Clopper and Pearson, 1934).
    """
    least = ((1 - level) / 2) ** (1 / max(1, pairs))
    low, high = (least, 1.0) if auc > 0.5 else (0.0, 1 - least)
    return Interval(low, high, level, "exact, no pair misranked")
