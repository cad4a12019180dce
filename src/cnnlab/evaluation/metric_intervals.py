"""How sure the scores of one classifier are: which metric has an interval over pictures, and what that takes."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import numpy as np

from cnnlab.core.errors import CnnlabError
from cnnlab.core.spec import Call, read_one
from cnnlab.evaluation.intervals import Estimate, Interval, score_interval
from cnnlab.evaluation.metrics.auc_interval import AucParts, auc_interval, auc_parts, class_areas
from cnnlab.evaluation.metrics.calibration import calibration_error_interval
from cnnlab.evaluation.metrics.class_probabilities import class_column, class_predictions
from cnnlab.runs import Predictions, Run
from cnnlab.runs.run_info import RunInfo


def score_intervals(scores: Mapping[str, float], n: int, predictions: Callable[[], Predictions]) -> dict[str, Interval]:
    """The interval of each score that has one: over other pictures like these, for this very classifier.

    Shares of the pictures, such as accuracy, have Wilson's, by the score and the number of pictures alone. Areas under
    the ROC curve have DeLong's and calibration errors the bootstrap's, from the predictions themselves.

    :param scores: by the names of their metrics.
    :param n: how many pictures they were taken on.
    :param predictions: gives the predictions that they were taken of; not called where no score needs them. Where it
        fails, as when predictions were deleted, these scores have no interval.
    """
    intervals = {name: score_interval(name, value, n) for name, value in scores.items()}
    wanted = [name for name in scores if _NAME.fullmatch(name)]
    with suppress(CnnlabError):
        taken_of = predictions() if wanted else None
        intervals |= {name: estimate(name, taken_of).interval for name in wanted if taken_of is not None}
    return {name: interval for name, interval in intervals.items() if interval is not None}


def run_intervals(run: RunInfo) -> dict[str, dict[str, Interval]]:
    """Those of the scores on record, by split: see :func:`score_intervals`."""
    splits = [split for split, scores in (run.info.get("scores") or {}).items() if scores]
    return {
        split: score_intervals(run.scores(split), run.scores(split).n, partial(Run(run.folder).predictions, split))
        for split in splits
    }


def class_estimates(predictions: Predictions) -> dict[str, Estimate]:
    """What is asked of a classifier beside its scores, of each column of classes that is predicted with probabilities.

    These are ``calibration_error``, the expected one, and ``macro_roc_auc``, the mean of the areas under the ROC curves
    of each class against the rest; of an objective of several heads under the name of the head. An objective of two
    classes has its ``roc_auc`` among the scores. Nothing comes back where the targets are not known.
    """
    from cnnlab.evaluation.metrics.stored_predictions import objective_of

    objective = objective_of(predictions)
    found: dict[str, Estimate] = {}
    for column, head in objective.class_heads.items():
        prefix = f"{head}_" if f"{head}_loss" in objective.scored else ""
        names = [f"{prefix}calibration_error"]
        names += [f"{prefix}macro_roc_auc"] if f"{prefix}roc_auc" not in objective.scored else []
        if column in predictions.targets and len(predictions):
            found |= {name: estimate(name, predictions) for name in names}
    return found


def estimate(metric: str, predictions: Predictions) -> Estimate:
    """An area or a calibration error with its interval, from stored predictions.

    :raises UsageError: when the targets are not known, or some outputs are not finite.
    """
    match = _NAME.fullmatch(metric)
    assert match is not None
    head, measure = match.groups()
    return _ESTIMATES[measure](predictions, head)


def area_head(metric: str) -> str | None:
    """The head whose area under the ROC curve a metric is, empty where it names none; None for another metric."""
    match = _NAME.fullmatch(metric)
    return match[1] or "" if match is not None and match[2] == "roc_auc" else None


def stored_area(predictions: Predictions, head: str = "") -> AucParts | None:
    """Of the second of two classes, from the one output that ranks the pictures: this needs no objective, nor torch.

    None where only one class is present, or some outputs are not finite.
    """
    logits = predictions.outputs[head or next(iter(predictions.outputs))][:, 0].astype(np.float64)
    is_second = predictions.targets[class_column(predictions, _column(predictions, head))] == 1
    if is_second.all() or not is_second.any() or not np.isfinite(logits).all():
        return None
    return auc_parts(logits, is_second)


def _area(predictions: Predictions, head: str | None) -> Estimate:
    found = stored_area(predictions, head or "")
    return Estimate(float("nan")) if found is None else Estimate(found.auc, auc_interval(found))


def _mean_area(predictions: Predictions, head: str | None) -> Estimate:
    return class_areas([class_predictions(predictions, _column(predictions, head))]).mean


def _calibration_error(predictions: Predictions, head: str | None) -> Estimate:
    found = calibration_error_interval(predictions, _column(predictions, head))
    return Estimate(found.ece, found.interval)


_ESTIMATES: Mapping[str, Callable[[Predictions, str | None], Estimate]] = {
    "roc_auc": _area,
    "macro_roc_auc": _mean_area,
    "calibration_error": _calibration_error,
}
_NAME = re.compile(rf"(?:(.+?)_)??({'|'.join(_ESTIMATES)})")
"""A metric that is taken so, with the head before it where the objective has several."""


def _column(predictions: Predictions, head: str | None) -> str | None:
    """The column that a head predicts, as the spec of the objective has it."""
    call = read_one(predictions.objective, "An objective")
    own = call.kwargs.get(head) if head else call
    column = own.kwargs.get("column") if isinstance(own, Call) else None
    return column if isinstance(column, str) else None
