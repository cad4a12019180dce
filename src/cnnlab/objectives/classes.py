"""One class out of several, by softmax and cross-entropy."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.objectives.base import Columns, Objective, Targets, objectives


class Classes(Objective):
    """One head of K logits over the classes of one target column.

    Metrics: ``loss`` (cross-entropy in nats), ``accuracy``, ``balanced_accuracy`` (mean recall over the classes
    present), ``macro_f1`` (mean over the classes present or predicted), and ``top5_accuracy`` beyond ten classes.
    """

    soft = True
    tallied = ("accuracy",)
    select = "accuracy"

    def __init__(self, column: str, names: tuple[str, ...]) -> None:
        self.column, self.names = column, names
        self.heads = {column: len(names)}
        top5 = ("top5_accuracy",) if len(names) > 10 else ()
        self.measured = ("loss", "accuracy", "balanced_accuracy", "macro_f1", *top5)

    def encode(self, targets: Targets) -> dict[str, Tensor]:
        """One-hot float rows."""
        return {self.column: F.one_hot(targets[self.column], len(self.names)).float()}

    def loss(self, outputs: Tensor, encoded: Targets, weights: Targets | None = None) -> Tensor:
        """Cross-entropy of each sample with its, possibly soft, target."""
        weight = None if weights is None else weights[self.column]
        return F.cross_entropy(outputs.float(), encoded[self.column], weight=weight, reduction="none")

    def tally(self, outputs: Tensor, encoded: Targets) -> dict[str, Tensor]:
        """The number of samples whose largest logit is at the largest target."""
        right = outputs.argmax(1) == encoded[self.column].argmax(1)
        return {"accuracy": right.sum()}

    def decode(self, outputs: Tensor) -> dict[str, Tensor]:
        """The index of the most likely class."""
        return {self.column: outputs.argmax(1)}

    def probabilities(self, outputs: Tensor) -> dict[str, Tensor]:
        """Softmax in float64-safe float32."""
        return {self.column: torch.softmax(outputs.float(), dim=1)}

    def metrics(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """The metrics named in the class's description."""
        truth, logits = targets[self.column], outputs.double()
        counts = _confusion(truth, logits.argmax(1), len(self.names))
        right, present, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
        seen, touched = present > 0, (present + predicted) > 0
        scores = {
            "loss": F.cross_entropy(logits, truth).item(),
            "accuracy": (right.sum() / counts.sum()).item(),
            "balanced_accuracy": (right[seen] / present[seen]).mean().item(),
            "macro_f1": (2 * right[touched] / (present + predicted)[touched]).mean().item(),
        }
        if len(self.names) > 10:
            top = logits.topk(5, dim=1).indices
            scores["top5_accuracy"] = (top == truth[:, None]).any(1).double().mean().item()
        return scores


def _confusion(truth: Tensor, predicted: Tensor, classes: int) -> Tensor:
    pairs = torch.bincount(truth * classes + predicted, minlength=classes * classes)
    return pairs.view(classes, classes).double()


@objectives.register("classes")
def classes(columns: Columns, column: str | None = None) -> Classes:
    """One class out of several, by softmax and cross-entropy.

    :param column: the target column, where the data has more than one.
    """
    named = {name: names for name, names in columns.items() if names is not None}
    if column is None:
        if len(named) != 1:
            listed = ", ".join(columns) or "none"
            raise UsageError(
                "objective=classes needs one target column that holds classes; "
                f"the data's columns are: {listed}. Name one, as in 'objective=classes(column=label)'."
            )
        column = next(iter(named))
    if column not in named:
        raise UsageError(f"the data has no column of classes called {column!r}. {suggestion(column, named)}")
    names = named[column]
    if names is None or len(names) < 2:
        raise UsageError(f"column {column!r} holds fewer than two classes, so there is nothing to learn.")
    return Classes(column, names)
