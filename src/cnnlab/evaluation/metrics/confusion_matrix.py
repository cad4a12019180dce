"""Which classes are taken for which others."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnlab.core.dataframes import any_text
from cnnlab.core.displays import html_table
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.hooks import run_tool
from cnnlab.evaluation.metrics.class_probabilities import ClassPredictions, class_column
from cnnlab.evaluation.metrics.stored_predictions import finite_outputs, objective_of
from cnnlab.objectives import Objective
from cnnlab.runs import Predictions

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of true against predicted classes.

    :param names: of the K classes.
    :param counts: K×K whole numbers; the row is the true class, the column the predicted one.
    """

    names: tuple[str, ...]
    counts: "NDArray[np.int64]"

    @property
    def shares(self) -> "NDArray[np.float64]":
        """Each row divided by its sum: of the pictures of a class, the share taken for each class. Empty rows are 0."""
        sums = self.counts.sum(axis=1, keepdims=True)
        shares: NDArray[np.float64] = self.counts / sums.clip(min=1)
        return shares

    @property
    def accuracy(self) -> float:
        """The share on the diagonal."""
        return float(self.counts.trace() / max(1, self.counts.sum()))

    def mistakes(self, most: int = 5) -> list[tuple[str, str, int]]:
        """The most frequent pairs of true and predicted class that differ, with their counts, the largest first."""
        pairs = [
            (self.names[true], self.names[taken], int(count))
            for (true, taken), count in _cells(self.counts)
            if true != taken and count
        ]
        return sorted(pairs, key=lambda pair: -pair[2])[:most]

    @any_text
    def frame(self) -> "pd.DataFrame":
        """The counts, a row a true class, a column a predicted one."""
        import pandas as pd

        return pd.DataFrame(self.counts, index=pd.Index(self.names, name="true"), columns=list(self.names))

    def _repr_html_(self) -> str:
        rows = [(name, *row) for name, row in zip(self.names, self.counts.tolist(), strict=True)]
        return html_table(("true \\ predicted", *self.names), rows, most=100)

    def __repr__(self) -> str:
        return (
            f"Confusion({len(self.names)} classes, {int(self.counts.sum()):,} pictures, accuracy {self.accuracy:.4f})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Names and counts as plain lists."""
        return {"names": list(self.names), "counts": self.counts.tolist()}


@run_tool("confusion")
def confusion(predictions: Predictions | ClassPredictions, column: str | None = None) -> Confusion:
    """True against predicted classes of one target column.

    :param column: needed where the predictions have several columns of classes.
    :raises UsageError: when there is no such column, or the targets are not known.
    """
    if isinstance(predictions, ClassPredictions):
        return _counted(predictions.labels, predictions.predicted, tuple(predictions.names))
    objective = objective_of(predictions)
    name = class_column(predictions, _only_column(predictions, objective, column))
    predicted = objective.decode(finite_outputs(predictions, objective))[name].numpy()
    return _counted(predictions.targets[name], predicted, predictions.classes[name])


def _counted(labels: "NDArray[Any]", predicted: "NDArray[Any]", names: tuple[str, ...]) -> Confusion:
    import numpy as np

    pairs = labels.astype(np.int64) * len(names) + predicted
    return Confusion(names, np.bincount(pairs, minlength=len(names) ** 2).reshape(len(names), len(names)))


def _only_column(predictions: Predictions, objective: Objective, column: str | None) -> str | None:
    """The column, where only one of classes is predicted; the data may have more."""
    known = [name for name in objective.predicts if name in predictions.classes]
    if not known:
        raise UsageError(
            f"{', '.join(objective.predicts)} is predicted as a number, and only classes can be taken for one another: "
            f"there is no confusion matrix of {predictions.split}."
        )
    if column in predictions.classes and column not in known:
        raise UsageError(f"{column} is not predicted, so there is no confusion matrix of it. {suggestion('', known)}")
    return known[0] if column is None and len(known) == 1 else column


def _cells(counts: "NDArray[np.int64]") -> "list[tuple[tuple[int, ...], np.int64]]":
    import numpy as np

    return list(np.ndenumerate(counts))
