"""Two sources of chance kept apart: the trainings that were made, and the pictures they were tested on."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.intervals import LEVEL, Interval, mean_interval, wilson_ends
from cnnlab.evaluation.student_t import t_quantile


@dataclass(frozen=True)
class CrossedIntervals:
    """A mean over repeats that were all scored on the same pictures.

    :param mean: over all repeats and pictures.
    :param these_images: over other trainings of the recipe, scored on these very pictures; None where nothing tells.
    :param new_images: over other trainings, scored on other pictures like these.
    :param std_of_seeds: between trainings, of their means over these pictures: what further repeats average out.
    :param std_of_images: standard error of the mean from having these pictures and no others: what only more test
        pictures make smaller.
    """

    mean: float
    these_images: Interval | None
    new_images: Interval
    std_of_seeds: float
    std_of_images: float

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        facts = {name: getattr(self, name) for name in ("mean", "std_of_seeds", "std_of_images")}
        intervals = {"these_images": self.these_images, "new_images": self.new_images}
        return {**facts, **{name: found and found.to_dict() for name, found in intervals.items()}}


def crossed_intervals(
    scores: npt.ArrayLike, *, level: float = LEVEL, within: tuple[float, float] | None = (0.0, 1.0)
) -> CrossedIntervals:
    """How sure an accuracy is: for these recipes on these pictures, and on new pictures like these.

    Repeats and pictures are crossed, each repeat scored on each picture, and each of the two was drawn from many. The
    variance of the mean is that of the two-way random model, from its mean squares (Cornfield and Tukey, 1956). Its
    part from repeats is known with few degrees of freedom and that from pictures with many: the critical value is the
    mean of their t's, weighted by the parts (Cochran and Cox, 1957), which promises no more than it holds. The interval
    of an accuracy is Wilson's for as many pictures as would have that variance. One for a single training says nothing
    of other trainings.

    :param scores: repeats × pictures; whether each was right, or the difference between two recipes of that, then
        between -1 and 1.
    :param within: what the mean can be at all: (0, 1) of a share, for which the interval is Wilson's; else it is
        Student's, and goes no farther.
    :raises UsageError: for fewer than two repeats or pictures.
    """
    table = np.asarray(scores, dtype=float)
    if table.ndim != 2 or min(table.shape) < 2:
        raise UsageError("two repeats or more, all scored on the same two pictures or more, tell chance apart.")
    repeats, images = table.shape
    mean, of_repeats, of_images = float(table.mean()), table.mean(axis=1), table.mean(axis=0)
    rest = table - of_repeats[:, None] - of_images + mean
    square_of_rest = float((rest**2).sum()) / ((repeats - 1) * (images - 1))
    # A mean square between repeats holds that of the rest once, so the rest is taken off that between pictures alone.
    from_repeats = float(of_repeats.var(ddof=1)) / repeats
    from_images = max(float(of_images.var(ddof=1)) / images - square_of_rest / (repeats * images), 0.0)
    variance = from_repeats + from_images
    critical = t_quantile(level, images - 1)
    if variance:
        critical = (t_quantile(level, repeats - 1) * from_repeats + critical * from_images) / variance
    method = f"{repeats} repeats crossed with {images} pictures"
    if within == (0.0, 1.0):
        telling = min(mean * (1 - mean) / variance, repeats * images) if variance and 0 < mean < 1 else images
        new_images = Interval(*wilson_ends(mean, telling, critical), level, f"Wilson, {method}", "repeats and pictures")
    else:
        half = critical * math.sqrt(variance)
        new_images = Interval(mean - half, mean + half, level, f"t, {method}", "repeats and pictures")
        new_images = new_images if within is None else new_images.within(*within)
    return CrossedIntervals(
        mean=mean,
        these_images=mean_interval(of_repeats.tolist(), level, within, step=1 / images),
        new_images=new_images,
        std_of_seeds=float(of_repeats.std(ddof=1)),
        std_of_images=math.sqrt(from_images),
    )
