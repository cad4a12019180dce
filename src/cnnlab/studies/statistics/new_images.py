"""What the accuracy of a setting would be on other pictures: two sources of chance, trainings and pictures."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import CnnlabError
from cnnlab.core.measurements import Metric
from cnnlab.evaluation import class_predictions, crossed_intervals
from cnnlab.studies.result import MetricSummary
from cnnlab.studies.statistics.single_runs import Read, split_scored

Right = Callable[[tuple[str, ...], str], "npt.NDArray[np.bool_] | None"]
"""Of runs, by their names, which pictures of a split each is right about: runs × pictures; None where that is lost."""


def right_by(read: Read) -> Right:
    """By predictions that are read once."""

    @cache
    def right(runs: tuple[str, ...], split: str) -> "npt.NDArray[np.bool_] | None":
        try:
            first = read(runs[0], split)
            aligned = (first.align(read(run, split)) for run in runs)
            return np.stack([class_predictions(predictions).right for predictions in aligned])
        except CnnlabError:
            return None

    return right


def with_new_images(summary: MetricSummary, metric: Metric, runs: Sequence[str], right: Right) -> MetricSummary:
    """A summary with the interval of the same recipe, trained anew, on new pictures like these.

    :param runs: of the repeats that it is over.
    """
    split = split_scored(metric)
    if split is None or len(runs) < 2 or len(runs) != summary.n:
        return summary
    scores = right(tuple(runs), split)
    if scores is None or scores.shape[1] < 2:
        return summary
    found = crossed_intervals(scores)
    return replace(
        summary, new_low=found.new_images.low, new_high=found.new_images.high, std_of_images=found.std_of_images
    )
