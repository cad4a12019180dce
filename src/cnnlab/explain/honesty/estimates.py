"""Means over pictures, and over random draws and pictures, and how sure they are."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cnnlab.evaluation import Estimate, Interval, mean_interval
from cnnlab.evaluation.crossed_effects import (
    difference_over_images,
    share_parts,
    variance_of_mean,
    with_chance_of_images,
)
from cnnlab.evaluation.intervals import LEVEL

ANYWHERE = (-math.inf, math.inf)
"""The ends of what has none."""


def over_pictures(
    values: npt.ArrayLike,
    *,
    level: float = LEVEL,
    within: tuple[float, float] = ANYWHERE,
    units: str = "pictures",
) -> Estimate:
    """The mean over pictures, N, with Student's interval; values that are NaN are left out.

    :param units: what the values are of, such as mosaics of pictures.
    """
    found = np.asarray(values, dtype=float)
    found = found[np.isfinite(found)]
    if not len(found):
        return Estimate(math.nan)
    interval = mean_interval(found.tolist(), level, within)
    if interval is not None:
        interval = replace(interval, method=f"t over {len(found)} {units}", over="pictures")
    return Estimate(float(found.mean()), interval)


def over_draws_and_pictures(
    table: npt.ArrayLike, *, level: float = LEVEL, within: tuple[float, float] = ANYWHERE
) -> Estimate:
    """The mean of a table, random draws × pictures, each draw made for all pictures; both are sources of chance.

    As :func:`cnnlab.evaluation.crossed_intervals` has it for trainings and pictures, with Student's interval for both.
    Pictures with a NaN are left out. Of one draw the interval is over pictures alone, of one picture over draws.
    """
    found = np.asarray(table, dtype=float)
    found = found[:, np.isfinite(found).all(0)]
    draws, pictures = found.shape
    if not pictures:
        return Estimate(math.nan)
    if draws == 1:
        return over_pictures(found[0], level=level, within=within)
    mean, of_draws = float(found.mean()), found.mean(1)
    over_draws = mean_interval(of_draws.tolist(), level, within)
    if over_draws is None:
        # All draws agree, as those of a map that hangs on none of the weights do.
        over_draws = Interval(mean, mean, level)
    over_draws = replace(over_draws, method=f"t over {draws} draws", over="repeats")
    if pictures == 1:
        return Estimate(mean, over_draws)
    own = difference_over_images(mean, variance_of_mean(share_parts(found)), pictures - 1, level)
    return Estimate(mean, with_chance_of_images(over_draws, mean, own, within))


def ratio_over_pictures(above: npt.ArrayLike, below: npt.ArrayLike, *, level: float = LEVEL) -> Estimate:
    """The ratio of two means over the same pictures, N and N; its variance is by linearisation.

    Cochran, Sampling techniques (1977), section 2.11.

    NaN where the mean below is not above 0.
    """
    pairs = np.stack([np.asarray(above, dtype=float), np.asarray(below, dtype=float)])
    pairs = pairs[:, np.isfinite(pairs).all(0)]
    if not pairs.shape[1] or pairs[1].mean() <= 0:
        return Estimate(math.nan)
    ratio = float(pairs[0].mean() / pairs[1].mean())
    parts = ratio + (pairs[0] - ratio * pairs[1]) / pairs[1].mean()
    return Estimate(ratio, over_pictures(parts, level=level).interval)
