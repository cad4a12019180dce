"""What each test picture has to do with a score, of several trainings on the same pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cnnlab.evaluation.crossed_effects import (
    Array,
    difference_over_images,
    image_variance,
    share_over_images,
    share_parts,
    variance_of_mean,
    with_chance_of_images,
)
from cnnlab.evaluation.intervals import LEVEL, Interval
from cnnlab.evaluation.metric_intervals import area_head, stored_area
from cnnlab.evaluation.metrics.auc_interval import area_over_images
from cnnlab.evaluation.metrics.class_probabilities import class_predictions
from cnnlab.runs import Predictions


@dataclass(frozen=True, eq=False)
class ImageScores:
    """One score of several trainings, all on the same pictures.

    :param kind: a ``share`` of the pictures, or an ``area`` under a ROC curve.
    :param parts: trainings × pictures; see :func:`~cnnlab.evaluation.crossed_effects.image_variance`.
    :param pairs: of an area, how many pairs there are of pictures of either class that share none.
    """

    kind: Literal["share", "area"]
    parts: Array
    pairs: int = 0

    @property
    def images(self) -> int:
        """How many pictures."""
        return int(self.parts.shape[1])

    @property
    def df(self) -> int:
        """With which the variance by pictures is known: that of an area by those of the rarer class."""
        return (self.pairs or self.images) - 1

    def of(self, rows: Sequence[int]) -> "ImageScores":
        """Of some of the trainings, by their places."""
        return replace(self, parts=self.parts[list(rows)])

    def std_of_images(self) -> float:
        """Standard error of the mean over trainings from having these pictures and no others."""
        return float(np.sqrt(variance_of_mean(self.parts)))

    def on_new_images(self, these: Interval, mean: float, level: float = LEVEL) -> Interval:
        """The interval of the mean on new pictures, from that on these pictures."""
        variance = variance_of_mean(self.parts)
        if self.kind == "share":
            over_images = share_over_images(mean, variance, self.images, level)
        else:
            over_images = area_over_images(mean, variance, self.pairs, self.images, level, df=self.df)
        return with_chance_of_images(these, mean, over_images, (0.0, 1.0))

    def difference_on_new_images(
        self, other: "ImageScores", these: Interval, difference: float, *, are_paired: bool, level: float
    ) -> Interval:
        """The interval of a difference from ``other`` on new pictures, from that on these pictures.

        :param are_paired: whether the trainings of both belong together one by one, as with equal seeds.
        :param level: of this difference by itself, where ``these`` holds for several at once.
        """
        groups = (self.parts - other.parts,) if are_paired else (self.parts, -other.parts)
        over_images = difference_over_images(difference, image_variance(*groups), self.df, level)
        return with_chance_of_images(these, difference, over_images, (-1.0, 1.0))


def mean_scores(several: Sequence[ImageScores]) -> ImageScores:
    """Of the mean of several such scores, training by training."""
    parts = np.mean([scores.parts for scores in several], axis=0)
    return ImageScores(several[0].kind, parts, min(scores.pairs for scores in several))


def scores_by_image(metric: str, repeats: Sequence[Predictions]) -> ImageScores | None:
    """Of an accuracy, or an area under the ROC curve of two classes; None for a metric of which no part is a picture's.

    :param metric: without its split, such as ``accuracy`` or ``roc_auc``.
    :param repeats: one training each; pictures are put in the order of the first.
    :raises UsageError: when they are not of the same pictures, or their targets are not known.
    """
    aligned = [repeats[0].align(one) for one in repeats]
    head = area_head(metric)
    if metric == "accuracy":
        return ImageScores("share", share_parts(np.stack([class_predictions(one).right for one in aligned])))
    if head is None:
        return None
    areas = [stored_area(one, head) for one in aligned]
    known = [area for area in areas if area is not None and area.pairs > 1]
    if len(known) < len(areas):
        return None
    return ImageScores("area", np.stack([area.parts for area in known]), known[0].pairs)
