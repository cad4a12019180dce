"""Two sources of chance kept apart: the trainings that were made, and the pictures they were tested on."""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.intervals import LEVEL, Interval, mean_interval, wilson_ends
from cnnlab.evaluation.student_t import t_quantile

Array: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CrossedIntervals:
    """A mean over repeats that were all scored on the same pictures, or a difference of two such.

    :param mean: over all repeats and pictures.
    :param these_images: over other trainings of the recipe, scored on these very pictures.
    :param new_images: over other trainings, scored on other pictures like these; it contains the other one.
    :param std_of_seeds: between trainings, of their means over these pictures: what further repeats average out.
    :param std_of_images: standard error of the mean from having these pictures and no others: what only more test
        pictures make smaller.
    """

    mean: float
    these_images: Interval
    new_images: Interval
    std_of_seeds: float
    std_of_images: float

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        facts = {name: getattr(self, name) for name in ("mean", "std_of_seeds", "std_of_images")}
        intervals = {"these_images": self.these_images, "new_images": self.new_images}
        return {**facts, **{name: found.to_dict() for name, found in intervals.items()}}


def crossed_intervals(scores: npt.ArrayLike, *, level: float = LEVEL) -> CrossedIntervals:
    """How sure an accuracy is: for these recipes on these pictures, and on new pictures like these.

    Repeats and pictures are crossed, each repeat scored on each picture, and each of the two was drawn from many. The
    variance of the mean is that of the two-way random model (Cornfield and Tukey, 1956): a part from repeats, which few
    repeats tell of, and a part from pictures (:func:`image_variance`), which many tell of. Each part has an interval of
    its own, Student's over the repeats and Wilson's for as many pictures as would have that variance, and on either
    side the squares of their reaches add up. So the interval for new pictures contains that for these pictures, and
    covers no less often than it says (Banerjee, 1960; for ends that are not symmetric Zou and Donner, Construction of
    confidence limits about effect measures: a general approach, 2008). One for a single training says nothing of other
    trainings.

    :param scores: repeats × pictures, whether each was right.
    :raises UsageError: for fewer than two repeats or pictures.
    """
    table = _checked(scores)
    images, of_repeats, mean = table.shape[1], table.mean(axis=1), float(table.mean())
    these = mean_interval(of_repeats.tolist(), level, (0.0, 1.0), step=1 / images)
    assert these is not None
    variance = variance_of_mean(share_parts(table))
    return CrossedIntervals(
        mean=mean,
        these_images=these,
        new_images=with_chance_of_images(these, mean, share_over_images(mean, variance, images, level), (0.0, 1.0)),
        std_of_seeds=float(of_repeats.std(ddof=1)),
        std_of_images=math.sqrt(variance),
    )


def crossed_difference(first: npt.ArrayLike, second: npt.ArrayLike, *, level: float = LEVEL) -> CrossedIntervals:
    """How sure a difference of two recipes' accuracies is: on these pictures, and on new pictures like these.

    Both were scored on the same pictures, and the repeats belong together in pairs, as those with equal seeds do. The
    parts of the variance are those of :func:`crossed_intervals`, of the differences; both intervals are Student's.

    :param first: repeats × pictures, whether each was right; ``second`` is taken off.
    :raises UsageError: where the two are not of as many repeats and pictures, or of fewer than two.
    """
    left, right = _checked(first), _checked(second)
    if left.shape != right.shape:
        raise UsageError(
            f"the repeats of both recipes belong together, picture by picture; {left.shape[0]} × {left.shape[1]} "
            f"scores cannot be set beside {right.shape[0]} × {right.shape[1]}."
        )
    images, of_repeats = left.shape[1], (left - right).mean(axis=1)
    mean = float(of_repeats.mean())
    # Both accuracies are counted in pictures, and vary by half a picture each at the least.
    these = mean_interval(of_repeats.tolist(), level, (-1.0, 1.0), step=math.sqrt(2) / images)
    assert these is not None
    variance = image_variance(share_parts(left) - share_parts(right))
    return CrossedIntervals(
        mean=mean,
        these_images=these,
        new_images=with_chance_of_images(
            these, mean, difference_over_images(mean, variance, images - 1, level), (-1.0, 1.0)
        ),
        std_of_seeds=float(of_repeats.std(ddof=1)),
        std_of_images=math.sqrt(variance),
    )


def share_parts(scores: npt.ArrayLike) -> Array:
    """What each picture has to do with a share's deviation from the true one; see :func:`image_variance`.

    :param scores: repeats × pictures.
    """
    table = np.asarray(scores, dtype=float)
    images = table.shape[1]
    parts: Array = (table - table.mean(axis=1, keepdims=True)) / math.sqrt(images * max(1, images - 1))
    return parts


def image_variance(*groups: Array) -> float:
    """The variance that a score has from being taken on these pictures and no others.

    The score is a mean over trainings, or the sum of several such means. Every training's deviation from its true score
    is a sum of parts, one a picture, of which the squares add up to its variance over pictures. What trainings share of
    a picture's part stays in their mean. What each has for itself is a source of chance of the trainings, and comes
    down to the mean square of the residuals in the analysis of variance: it is taken off, and comes with the variance
    between trainings.

    :param groups: of trainings that do not belong together, each trainings × pictures; of those that do, as with equal
        seeds, the differences of their parts are one group.
    """
    mean = np.sum([parts.mean(axis=0) for parts in groups], axis=0)
    own = sum(
        float(((parts - parts.mean(axis=0)) ** 2).sum()) / (len(parts) * (len(parts) - 1))
        for parts in groups
        if len(parts) > 1
    )
    return max(float((mean**2).sum()) - own, 0.0)


def variance_of_mean(parts: Array) -> float:
    """That of the mean over trainings; none tells more of new pictures than one on as many more pictures would."""
    return max(image_variance(parts), float((parts**2).sum()) / len(parts) ** 2)


def share_over_images(share: float, variance: float, images: int, level: float) -> Interval:
    """The interval of a share that varies so much by its pictures: Wilson's, for as many as would have that variance.

    Where every picture was right, or none, it is that of the pictures there are.
    """
    telling = share * (1 - share) / variance if variance and 0 < share < 1 else images
    ends = wilson_ends(share, telling, t_quantile(level, images - 1))
    return Interval(*ends, level, f"Wilson, {images} pictures", "pictures")


def difference_over_images(difference: float, variance: float, df: float, level: float) -> Interval:
    """The interval of a difference that varies so much by its pictures: Student's.

    :param df: with which the variance is known.
    """
    half = t_quantile(level, df) * math.sqrt(variance)
    return Interval(difference - half, difference + half, level, f"t over pictures, df {df:g}", "pictures")


def with_chance_of_images(
    these: Interval, middle: float, over_images: Interval, within: tuple[float, float]
) -> Interval:
    """The interval for these recipes on new pictures, which contains both.

    :param these: for these pictures, about ``middle``.
    :param over_images: by the chance of pictures alone, at the level of this one difference or mean.
    :param within: what is possible at all.
    """
    low = middle - math.hypot(middle - these.low, middle - over_images.low)
    high = middle + math.hypot(these.high - middle, over_images.high - middle)
    # The sums contain the interval for these pictures but for rounding.
    low, high = min(low, these.low), max(high, these.high)
    method = f"{these.method}, crossed with {over_images.method}"
    return Interval(low, high, these.level, method, "repeats and pictures").within(*within)


def _checked(scores: npt.ArrayLike) -> Array:
    table = np.asarray(scores, dtype=float)
    if table.ndim != 2 or min(table.shape) < 2:
        raise UsageError("two repeats or more, all scored on the same two pictures or more, tell chance apart.")
    return table
