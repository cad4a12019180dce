"""One of two classes, by one sigmoid output."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.objectives.base import objectives
from cnnlab.objectives.classes import confusion_counts
from cnnlab.objectives.columns import Columns, Targets, named_classes
from cnnlab.objectives.single import Single, log_mixture


class Binary(Single):
    """One logit for the second of two classes.

    Metrics: ``loss`` (binary cross-entropy in nats), ``accuracy``, ``balanced_accuracy`` (mean recall), ``f1`` of the
    second class, and ``roc_auc``, which is no number where only one class is present.
    """

    soft = True
    smooths = True
    tallied = ("accuracy",)
    judged_by = "accuracy"
    scored = ("accuracy", "balanced_accuracy", "f1", "roc_auc")

    def __init__(self, column: str) -> None:
        super().__init__(column, 1)
        self.column = column
        self.predicts, self.class_heads = (column,), {column: column}
        self.settled = {"column": column}

    def target(self, targets: Targets) -> Tensor:
        """The probability of the second class."""
        return targets[self.column].float()[:, None]

    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Binary cross-entropy of each sample with its, possibly soft, target.

        :param weight: of the first and of the second class.
        """
        logits, share = outputs[:, 0], target[:, 0].to(outputs.dtype)
        first, second = (1.0, 1.0) if weight is None else weight.to(outputs.dtype)
        return second * share * F.softplus(-logits) + first * (1 - share) * F.softplus(logits)

    def sums(self, outputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The number of samples on whose side of a half the target is."""
        return {"accuracy": ((outputs > 0) == (target > 0.5)).sum()}

    def decode(self, outputs: Tensor) -> dict[str, Tensor]:
        """The more likely class."""
        return {self.column: (outputs[:, 0] > 0).long()}

    def numbers(self, outputs: Tensor) -> dict[str, Tensor]:
        """None: two classes are no scale."""
        return {}

    @property
    def tables(self) -> Mapping[str, Sequence[float] | None]:
        """No numbers: two classes are no scale."""
        return {self.column: None}

    @property
    def sizes(self) -> Mapping[str, int]:
        """Two classes."""
        return {self.column: 2}

    def support(self, outputs: Tensor, candidates: Targets) -> Tensor:
        """The logarithm of the class's probability."""
        return F.logsigmoid(torch.cat([-outputs, outputs], dim=1))[:, candidates[self.column]]

    def mixture(self, members: Tensor, shares: Tensor) -> Tensor:
        """The logit of the weighted mean of the members' probabilities."""
        return log_mixture(F.logsigmoid(members), shares) - log_mixture(F.logsigmoid(-members), shares)

    def likelihoods(self, outputs: Tensor) -> Tensor:
        """The probabilities of both classes, N×2."""
        return torch.sigmoid(torch.cat([-outputs, outputs], dim=1))

    def logits(self, logarithms: Tensor) -> Tensor:
        """The logarithm of the odds of the second class."""
        return logarithms[:, 1:] - logarithms[:, :1]

    def classed(self, targets: Targets) -> tuple[Tensor, int]:
        """The column itself."""
        return targets[self.column], 2

    def softened(self, target: Tensor, amount: float) -> Tensor:
        """The target with label smoothing over the two classes."""
        return target * (1 - amount) + amount / 2

    def scores(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """The metrics named in the class's description."""
        truth, logits = targets[self.column], outputs[:, 0]
        counts = confusion_counts(truth, (logits > 0).long(), 2)
        present = counts.sum(1)
        touched = counts[1].sum() + counts[:, 1].sum()
        return {
            "accuracy": (counts.diagonal().sum() / counts.sum()).item(),
            "balanced_accuracy": (counts.diagonal()[present > 0] / present[present > 0]).mean().item(),
            "f1": (2 * counts[1, 1] / touched).item() if touched else 0.0,
            "roc_auc": area_under_roc(logits, truth),
        }


def area_under_roc(scores: Tensor, truth: Tensor) -> float:
    """The chance that one of the second class scores higher than one of the first, a tie counting half.

    The Mann-Whitney statistic: Hanley and McNeil, The meaning and use of the area under a ROC curve (1982).
    """
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, counts = torch.unique(scores, return_inverse=True, return_counts=True)
    ends = counts.cumsum(0)
    ranks = (ends - (counts - 1) / 2).double()[place]
    above = float(ranks[truth == 1].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


@objectives.register("binary")
def binary(columns: Columns, column: str | None = None) -> Binary:
    """One of two classes, by one sigmoid output and binary cross-entropy.

    :param column: the target column, where the data has more than one.
    """
    name, names = named_classes(columns, column, "binary")
    if len(names) != 2:
        raise UsageError(
            f"objective=binary tells two classes apart, and column {name!r} has {len(names)}. Take "
            f"'objective=classes(column={name})'."
        )
    return Binary(name)
