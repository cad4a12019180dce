"""How pure what is found is, as more of a class is found: precision-recall curves and average precision."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cnnlab.core.dataframes import any_text
from cnnlab.core.displays import html_table
from cnnlab.core.number_text import counted
from cnnlab.evaluation.metrics.class_probabilities import Array, ClassPredictions, class_predictions
from cnnlab.runs import Predictions

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """One class against the rest: a point for each of its pictures, in the order in which they are found.

    :param recall: share of the class's own pictures found so far: 1/n, 2/n, … 1. Empty where the class is absent.
    :param precision: share of what lies at or above the threshold of that picture that is of the class.
    :param average_precision: the mean of these, which is the area under the steps; NaN where the class is absent.
    :param prevalence: the class's share of all pictures, which is the precision of guessing.
    """

    recall: Array
    precision: Array
    average_precision: float
    prevalence: float

    def __repr__(self) -> str:
        return f"PrecisionRecall(average precision {self.average_precision:.4f}, {counted(len(self.recall), 'point')})"


@dataclass(frozen=True, eq=False)
class PrecisionRecallCurves:
    """A curve for each class against the rest.

    :param curves: by the name of the class.
    :param macro: the mean average precision, each class that there is counting alike.
    """

    curves: Mapping[str, PrecisionRecall]
    macro: float

    @property
    def average_precision(self) -> dict[str, float]:
        """For each class."""
        return {name: curve.average_precision for name, curve in self.curves.items()}

    @any_text
    def frame(self) -> "pd.DataFrame":
        """A row a point of each class's curve."""
        import pandas as pd

        columns = ("recall", "precision")
        parts = [
            pd.DataFrame({"class": name, **{column: getattr(curve, column) for column in columns}})
            for name, curve in self.curves.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def _repr_html_(self) -> str:
        rows = [(name, curve.average_precision, curve.prevalence) for name, curve in self.curves.items()]
        return html_table(("class", "average precision", "prevalence"), rows, most=100)

    def __repr__(self) -> str:
        return f"PrecisionRecallCurves({len(self.curves)} classes, mean average precision {self.macro:.4f})"

    def to_dict(self) -> dict[str, Any]:
        """The average precisions; the curves are in :meth:`frame`."""
        return {"average_precision": self.average_precision, "macro": self.macro}


def precision_recall(predictions: Predictions | ClassPredictions, column: str | None = None) -> PrecisionRecallCurves:
    """Precision-recall curves of each class against the rest.

    :raises UsageError: when there are no targets, or several columns of classes and none is named.
    """
    classes = class_predictions(predictions, column)
    curves = {
        name: _curve(classes.probabilities[:, place], classes.labels == place)
        for place, name in enumerate(classes.names)
    }
    known = [curve.average_precision for curve in curves.values() if len(curve.recall)]
    return PrecisionRecallCurves(curves, float(np.mean(known)) if known else float("nan"))


def _curve(scores: Array, is_own: npt.NDArray[np.bool_]) -> PrecisionRecall:
    count = int(is_own.sum())
    if not count:
        return PrecisionRecall(np.empty(0), np.empty(0), float("nan"), 0.0)
    order = np.argsort(-scores, kind="stable")
    found, ranked = np.cumsum(is_own[order]), scores[order]
    # Pictures of one probability are found together: each counts with the last of them.
    last = np.searchsorted(-ranked, -ranked, side="right") - 1
    precision = (found[last] / (last + 1))[is_own[order]]
    recall = np.arange(1, count + 1) / count
    return PrecisionRecall(recall, precision, float(precision.mean()), count / len(scores))
