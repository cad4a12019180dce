"""How well each class is recognised."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlab.core.dataframes import any_text
from cnnlab.evaluation.metrics.class_probabilities import Array, ClassPredictions, Labels, class_predictions
from cnnlab.runs import Predictions

if TYPE_CHECKING:
    import pandas as pd

_MEASURES = ("precision", "recall", "f1")


@dataclass(frozen=True, eq=False)
class PerClass:
    """Measures of each of K classes; NaN where one is not defined.

    :param support: pictures of the class; ``predicted`` those taken for it.
    :param precision: of the pictures taken for the class, the share that is of it; undefined where there are none.
    :param recall: of its pictures, the share recognised; undefined where there are none.
    :param f1: harmonic mean of the two, 0 where no picture of it is recognised; undefined where a class is neither
        present nor predicted.
    :param accuracy: over all pictures.
    """

    names: tuple[str, ...]
    support: Labels
    predicted: Labels
    precision: Array
    recall: Array
    f1: Array
    accuracy: float

    def averages(self) -> dict[str, dict[str, float]]:
        """``macro``: mean over the classes where a measure is defined, each counting alike; ``weighted``: by support;
        ``micro``: over all pictures together, where with one class a picture all three are the accuracy.
        """
        result = {"macro": {name: _mean(getattr(self, name)) for name in _MEASURES}}
        result["micro"] = dict.fromkeys(_MEASURES, self.accuracy)
        result["weighted"] = {name: _mean(getattr(self, name), self.support) for name in _MEASURES}
        return result

    @any_text
    def frame(self) -> "pd.DataFrame":
        """A row a class."""
        import pandas as pd

        columns = ("support", "predicted", *_MEASURES)
        return pd.DataFrame({"class": self.names, **{name: getattr(self, name) for name in columns}})

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON, what is not defined as NaN."""
        columns = ("support", "predicted", *_MEASURES)
        table = {name: getattr(self, name).tolist() for name in columns}
        return {"names": list(self.names), **table, "accuracy": self.accuracy, "averages": self.averages()}


def per_class(predictions: Predictions | ClassPredictions, column: str | None = None) -> PerClass:
    """Precision, recall and F1 of each class.

    :raises UsageError: when there are no targets, or several columns of classes and none is named.
    """
    classes = class_predictions(predictions, column)
    count = len(classes.names)
    hits = np.bincount(classes.labels[classes.right], minlength=count)
    support = np.bincount(classes.labels, minlength=count)
    predicted = np.bincount(classes.predicted, minlength=count)
    return PerClass(
        names=tuple(classes.names),
        support=support,
        predicted=predicted,
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, support),
        f1=_ratio(2 * hits, support + predicted),
        accuracy=float(classes.right.mean()),
    )


def _ratio(part: Labels, whole: Labels) -> Array:
    ratio: Array = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return ratio


def _mean(values: Array, weights: Labels | None = None) -> float:
    defined = ~np.isnan(values)
    chosen = np.ones(len(values)) if weights is None else weights.astype(np.float64)
    total = float(chosen[defined].sum())
    return float(values[defined] @ chosen[defined] / total) if total else float("nan")
