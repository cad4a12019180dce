"""How well probabilities rank pictures and classes: ROC curves, their areas, and top-k accuracy."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cnnlab.core.dataframes import any_text
from cnnlab.core.displays import html_table
from cnnlab.core.errors import UsageError
from cnnlab.core.hooks import run_tool
from cnnlab.core.number_text import counted
from cnnlab.evaluation.intervals import Interval
from cnnlab.evaluation.metrics.auc_interval import auc_parts, class_areas, pooled_auc_interval
from cnnlab.evaluation.metrics.class_probabilities import Array, ClassPredictions, class_predictions
from cnnlab.runs import Predictions

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Roc:
    """A receiver operating characteristic: one class against the rest, for every threshold of its probability.

    :param false_positive_rate: share of the other pictures at or above each threshold, growing from 0 to 1;
        ``true_positive_rate`` that of the class's own. Both empty where a class is absent, or there is no other.
    :param thresholds: falling, the first one above every probability; empty for an average of curves.
    :param auc: area under the curve: the probability that a picture of the class ranks above another; NaN where there
        is no curve.
    :param interval: of the area, over other pictures like these for this very classifier; None where the class, or the
        rest, has fewer than two.
    """

    false_positive_rate: Array
    true_positive_rate: Array
    thresholds: Array
    auc: float
    interval: Interval | None = None

    def __repr__(self) -> str:
        interval = "" if self.interval is None else f", 95% {self.interval}"
        return f"Roc(area {self.auc:.4f}{interval}, {counted(len(self.false_positive_rate), 'point')})"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain lists; thresholds without the first, which is infinite."""
        rates = {name: getattr(self, name).tolist() for name in ("false_positive_rate", "true_positive_rate")}
        return {
            **rates,
            "thresholds": self.thresholds[1:].tolist(),
            "auc": self.auc,
            "interval": self.interval and self.interval.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class RocCurves:
    """A curve for each class against the rest.

    :param curves: by the name of the class.
    :param micro: every probability of every class ranked together.
    :param macro: the mean of the classes' curves, each counting alike; its area is the mean of theirs.
    """

    curves: Mapping[str, Roc]
    micro: Roc
    macro: Roc

    @property
    def auc(self) -> dict[str, float]:
        """The area for each class."""
        return {name: curve.auc for name, curve in self.curves.items()}

    @any_text
    def frame(self) -> "pd.DataFrame":
        """A row a point of each class's curve."""
        import pandas as pd

        parts = [
            pd.DataFrame(
                {
                    "class": name,
                    "false_positive_rate": curve.false_positive_rate,
                    "true_positive_rate": curve.true_positive_rate,
                    "threshold": curve.thresholds,
                }
            )
            for name, curve in self.curves.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def _repr_html_(self) -> str:
        named = {**self.curves, "mean of the classes": self.macro, "all together": self.micro}
        rows = [
            (name, curve.auc, curve.interval and curve.interval.low, curve.interval and curve.interval.high)
            for name, curve in named.items()
        ]
        return html_table(("class", "area", "95% from", "to"), rows, most=100)

    def __repr__(self) -> str:
        return f"RocCurves({len(self.curves)} classes, mean area {self.macro.auc:.4f})"

    def to_dict(self) -> dict[str, Any]:
        """The areas with their intervals, for each class and both averages; the curves are in :meth:`frame`."""
        ends = {name: curve.interval and curve.interval.to_dict() for name, curve in self.curves.items()}
        averages = {
            f"{name}_interval": curve.interval and curve.interval.to_dict()
            for name, curve in (("micro", self.micro), ("macro", self.macro))
        }
        return {"auc": self.auc, "micro": self.micro.auc, "macro": self.macro.auc, "intervals": ends, **averages}


@run_tool("roc")
def roc(predictions: Predictions | ClassPredictions, column: str | None = None) -> RocCurves:
    """ROC curves of each class against the rest, and their averages; each area with its interval, after DeLong.

    :raises UsageError: when there are no targets, or several columns of classes and none is named.
    """
    classes = class_predictions(predictions, column)
    truth = np.eye(len(classes.names), dtype=bool)[classes.labels]
    areas = class_areas([classes])
    curves = {
        name: replace(
            class_roc(classes.probabilities[:, place], truth[:, place]), interval=areas.by_class[name].interval
        )
        for place, name in enumerate(classes.names)
    }
    macro = replace(mean_roc(curves), interval=areas.mean.interval)
    return RocCurves(curves, _micro(classes.probabilities, truth), macro)


def top_k_accuracy(predictions: Predictions | ClassPredictions, k: int, column: str | None = None) -> float:
    """The share of pictures whose class is among the ``k`` most probable; of equals, the first class ranks higher.

    :raises UsageError: for a ``k`` that is not from 1 to the number of classes.
    """
    classes = class_predictions(predictions, column)
    if not 1 <= k <= len(classes.names):
        raise UsageError(f"k is from 1 to the number of classes, {len(classes.names)}; {k} is not.")
    of_right = classes.probabilities[np.arange(len(classes)), classes.labels][:, None]
    before = np.arange(len(classes.names)) < classes.labels[:, None]
    ahead = (classes.probabilities > of_right) | ((classes.probabilities == of_right) & before)
    return float((ahead.sum(axis=1) < k).mean())


def class_roc(scores: Array, is_own: npt.NDArray[np.bool_]) -> Roc:
    """The curve of one class against the rest, without the interval of its area.

    :param scores: N, growing with how likely a picture is of the class; ``is_own`` whether it is.
    """
    from sklearn.metrics import roc_curve

    if is_own.all() or not is_own.any():
        return Roc(np.empty(0), np.empty(0), np.empty(0), float("nan"))
    false, true, thresholds = roc_curve(is_own, scores, drop_intermediate=False)
    return Roc(false, true, thresholds, float(np.trapezoid(true, false)))


def _micro(probabilities: Array, truth: npt.NDArray[np.bool_]) -> Roc:
    curve = class_roc(probabilities.ravel(), truth.ravel())
    if not len(curve.thresholds):
        return curve
    parts = auc_parts(probabilities.ravel(), truth.ravel())
    return replace(curve, interval=pooled_auc_interval(parts, len(truth)))


def mean_roc(curves: Mapping[str, Roc]) -> Roc:
    """The mean of several curves at each false positive rate; those that are empty are left out."""
    drawn = [curve for curve in curves.values() if len(curve.thresholds)]
    if not drawn:
        return Roc(np.empty(0), np.empty(0), np.empty(0), float("nan"))
    false = np.unique(np.concatenate([curve.false_positive_rate for curve in drawn]))
    # Where curves rise straight up the mean has two points: where they arrive, and where they leave.
    true = np.mean([_ends(curve, false) for curve in drawn], axis=0)
    area = float(np.mean([curve.auc for curve in drawn]))
    return Roc(np.repeat(false, 2), true.T.ravel(), np.empty(0), area)


def _ends(curve: Roc, false: Array) -> Array:
    """The lowest and the highest point of a curve at each of these false positive rates: 2×M."""
    rates, heights = curve.false_positive_rate, curve.true_positive_rate
    between = np.interp(false, rates, heights)
    sides = [np.searchsorted(rates, false, "left"), np.searchsorted(rates, false, "right") - 1]
    at_a_point = np.isin(false, rates)
    return np.stack([np.where(at_a_point, heights[side.clip(max=len(rates) - 1)], between) for side in sides])
