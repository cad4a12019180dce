"""One class out of several, by softmax and cross-entropy."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.core.arguments import Count
from cnnlab.core.errors import UsageError
from cnnlab.core.spec import Call
from cnnlab.objectives.base import objectives
from cnnlab.objectives.columns import Columns, Targets, named_classes, number_table
from cnnlab.objectives.own import OwnLoss
from cnnlab.objectives.single import Single, log_mixture


class Classes(Single):
    """One head of K logits over the classes of one target column.

    Metrics: ``loss`` (cross-entropy in nats), ``accuracy``, ``balanced_accuracy`` (mean recall over the classes
    present), ``macro_f1`` (mean over the classes present or predicted), and ``top5_accuracy`` beyond ten classes.
    """

    soft = True
    smooths = True
    tallied = ("accuracy",)
    judged_by = "accuracy"

    def __init__(self, column: str, names: tuple[str, ...]) -> None:
        super().__init__(column, len(names))
        self.column, self.names = column, names
        self.predicts, self.class_heads = (column,), {column: column}
        self.settled = {"column": column}
        top5 = ("top5_accuracy",) if len(names) > 10 else ()
        self.scored = ("accuracy", "balanced_accuracy", "macro_f1", *top5)

    def add_own(self, loss: Call | None, metrics: Sequence[Call]) -> None:
        """A loss that takes classes by their indices only can be given no blended targets."""
        super().add_own(loss, metrics)
        if loss is not None:
            self.own_loss = OwnLoss(loss, len(self.names))
            self.soft = self.smooths = not self.own_loss.is_known or self.own_loss.takes_shares

    def target(self, targets: Targets) -> Tensor:
        """One-hot float rows."""
        return F.one_hot(targets[self.column], len(self.names)).float()

    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Cross-entropy of each sample with its, possibly soft, target."""
        return F.cross_entropy(outputs, target, weight=weight, reduction="none")

    def sums(self, outputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The number of samples whose largest logit is at the largest target."""
        return {"accuracy": (outputs.argmax(1) == target.argmax(1)).sum()}

    def decode(self, outputs: Tensor) -> dict[str, Tensor]:
        """The index of the most likely class."""
        return {self.column: outputs.argmax(1)}

    def numbers(self, outputs: Tensor) -> dict[str, Tensor]:
        """The number that the most likely class is named by, where classes are named by numbers."""
        table = self.tables[self.column]
        if table is None:
            return {}
        return {self.column: torch.tensor(table, dtype=torch.float64, device=outputs.device)[outputs.argmax(1)]}

    @property
    def tables(self) -> Mapping[str, Sequence[float] | None]:
        """The numbers that the classes are named by, where they are."""
        try:
            return {self.column: number_table({self.column: self.names}, self.column, "classes")}
        except UsageError:
            return {self.column: None}

    @property
    def sizes(self) -> Mapping[str, int]:
        """How many classes there are."""
        return {self.column: len(self.names)}

    def support(self, outputs: Tensor, candidates: Targets) -> Tensor:
        """The logarithm of the class's probability."""
        return torch.log_softmax(outputs, dim=1)[:, candidates[self.column]]

    def mixture(self, members: Tensor, shares: Tensor) -> Tensor:
        """The logarithm of the weighted mean of the members' probabilities."""
        return log_mixture(torch.log_softmax(members, dim=2), shares)

    def likelihoods(self, outputs: Tensor) -> Tensor:
        """Softmax."""
        return torch.softmax(outputs, dim=1)

    def classed(self, targets: Targets) -> tuple[Tensor, int]:
        """The column itself."""
        return targets[self.column], len(self.names)

    def scores(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """The metrics named in the class's description."""
        truth = targets[self.column]
        counts = confusion_counts(truth, outputs.argmax(1), len(self.names))
        right, present, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
        seen, touched = present > 0, (present + predicted) > 0
        scores = {
            "accuracy": (right.sum() / counts.sum()).item(),
            "balanced_accuracy": (right[seen] / present[seen]).mean().item(),
            "macro_f1": (2 * right[touched] / (present + predicted)[touched]).mean().item(),
        }
        if "top5_accuracy" in self.scored:
            top = outputs.topk(5, dim=1).indices
            scores["top5_accuracy"] = (top == truth[:, None]).any(1).double().mean().item()
        return scores


def confusion_counts(truth: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """How often each class (row) was taken for each (column), float64, K×K."""
    pairs = torch.bincount(truth * classes + predicted, minlength=classes * classes)
    return pairs.view(classes, classes).double()


@objectives.register("classes")
def classes(columns: Columns, column: str | Count | None = None) -> Classes:
    """One class out of several, by softmax and cross-entropy.

    :param column: the target column, where the data has more than one; or the number of classes, which is checked.
    """
    count = column if isinstance(column, int) else None
    name, names = named_classes(columns, None if isinstance(column, int) else column, "classes")
    if count is not None and count != len(names):
        raise UsageError(
            f"objective=classes({count}) expects {count} classes, and column {name!r} has {len(names)}. Leave the "
            "number out, or correct it."
        )
    return Classes(name, names)
