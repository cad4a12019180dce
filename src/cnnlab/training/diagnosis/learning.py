"""Whether a training learned anything: its scores against those of the best single answer for all pictures."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.number_text import fixed, with_minus
from cnnlab.data import ImageSet
from cnnlab.objectives import Objective, Targets

_TARGETS = 4096
_LEAST = 0.02
"""Of the loss of a constant answer: what a training has to be below it to have learned."""
_SKILL = 0.1
"""Of the way from the accuracy of a constant answer to 1. A network with random weights may come a part of this way."""
_SURE = 3.0
"""Standard errors by which an accuracy has to be above that of a constant answer."""
_LIKELY = 2.33
_FALLEN = 0.003
_FEWEST_TO_FALL = 12
_SPLITS = ("train", "validation")


@dataclass(frozen=True)
class ConstantAnswer:
    """What the best single answer for all pictures comes to on the training pictures.

    :param outputs: raw outputs, K float64.
    :param loss: its mean loss; NaN where a loss of one's own is trained by, which may be of whole batches.
    :param accuracy: the share of the most frequent class, where one class out of several is predicted.
    :param classes: how many there are then.
    """

    outputs: Tensor
    loss: float
    accuracy: float | None = None
    classes: int = 0

    @classmethod
    def of(cls, objective: Objective, targets: Targets) -> "ConstantAnswer":
        """That of up to 4,096 of these targets, evenly spaced."""
        some = sample(targets, _TARGETS)
        encoded = {head: rows.double() for head, rows in objective.encode(some).items()}
        count = len(next(iter(encoded.values())))
        plain = without_own_loss(objective)
        outputs = torch.zeros(objective.outputs, dtype=torch.float64, requires_grad=True)
        least = minimised([outputs], lambda: plain.loss(outputs.expand(count, -1), encoded).mean())
        loss = least if objective.own_loss is None else math.nan
        labels = list(objective.labels(some).values())
        if len(labels) != 1 or "accuracy" not in objective.measured:
            return cls(outputs.detach(), loss)
        found, classes = labels[0]
        most = torch.bincount(found, minlength=classes).max().item() / len(found)
        return cls(outputs.detach(), loss, most, classes)

    def below(self, loss: float) -> float:
        """How far a loss is below that of the constant answer, as a share of it; NaN where that cannot be told."""
        return 1 - loss / self.loss if self.loss > 0 else math.nan

    def is_beaten(self, scores: Mapping[str, Any], samples: int) -> bool:
        """Whether scores of so many pictures are better than the constant answer's: loss, accuracy, or mean recall."""
        if self.below(_number(scores.get("loss"))) >= _LEAST:
            return True
        return any(
            value >= floor + _SKILL * (1 - floor) and value > floor + _SURE * error
            for value, floor, error in self._accuracies(scores, samples)
        )

    def is_touched(self, scores: Mapping[str, Any], samples: int) -> bool:
        """Whether scores look better than the constant answer's by chance at one in a hundred, or by a loss at all."""
        return self.below(_number(scores.get("loss"))) > 0 or any(
            value > floor + _LIKELY * error for value, floor, error in self._accuracies(scores, samples)
        )

    def _accuracies(self, scores: Mapping[str, Any], samples: int) -> Iterator[tuple[float, float, float]]:
        """Accuracy and mean recall, each with that of a constant answer and its standard error."""
        floors = {"accuracy": self.accuracy, "balanced_accuracy": 1 / self.classes if self.classes else None}
        for name, floor in floors.items():
            if floor is not None:
                yield _number(scores.get(name)), floor, math.sqrt(floor * (1 - floor) / max(samples, 1))

    def says(self, outputs: Tensor, objective: Objective, targets: Targets) -> bool:
        """Whether raw outputs N×K, scaled and shifted as suits them best, tell more of the targets than a constant.

        What is confident, or trained with classes weighted, may have learned much and still a high loss.
        """
        spread = outputs.double().std(0).norm()
        if not torch.isfinite(outputs).all() or not spread > 0:
            return False
        plain = without_own_loss(objective)
        encoded = {head: rows.double() for head, rows in objective.encode(targets).items()}
        centred = (outputs.double() - outputs.double().mean(0)) / spread
        factor = torch.zeros((), dtype=torch.float64, requires_grad=True)
        start, offset = (self.outputs.clone().requires_grad_() for _ in range(2))
        constant = minimised([start], lambda: plain.loss(start.expand(len(centred), -1), encoded).mean())
        best = minimised([factor, offset], lambda: plain.loss(factor * centred + offset, encoded).mean())
        return bool(1 - best / constant >= _LEAST) if constant > 0 else True


def sample(targets: Targets, most: int) -> dict[str, Tensor]:
    """So many rows of the targets at the most, evenly spaced."""
    count = len(next(iter(targets.values())))
    places = spaced(count, most)
    return {name: column[places] for name, column in targets.items()}


def spaced(count: int, most: int) -> Tensor:
    """Up to ``most`` places of ``count``, evenly spaced."""
    return torch.linspace(0, count - 1, min(most, count)).long()


def without_own_loss(objective: Objective) -> Objective:
    """The objective with its own loss: one that was given in Python may be a mean, or want whole batches."""
    plain = copy.copy(objective)
    plain.own_loss = None
    return plain


def minimised(parameters: Sequence[Tensor], loss: Any) -> float:
    """The least value of a smooth function, by L-BFGS; the parameters are left there."""
    optimizer = torch.optim.LBFGS(list(parameters), max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[arg-type,no-untyped-call]
        return float(loss().detach())


def has_fallen(losses: Sequence[float], constant: float) -> bool:
    """Whether the losses of the steps go down, to below that of a constant answer: a slow start is a start.

    The last quarter of the steps against the first, by three standard errors and by 0.3% of the constant's loss.
    """
    if len(losses) < _FEWEST_TO_FALL or not math.isfinite(constant):
        return False
    quarter = len(losses) // 4
    first, last = (torch.tensor(part, dtype=torch.float64) for part in (losses[:quarter], losses[-quarter:]))
    apart = float(first.mean() - last.mean())
    error = float((first.var() + last.var()).div(quarter).sqrt())
    return apart > _SURE * error and apart > _FALLEN * constant and float(last.mean()) < (1 - _FALLEN / 2) * constant


def what_is_seen(constant: ConstantAnswer, row: Mapping[str, Any], samples: Mapping[str, int], *splits: str) -> str:
    """In a sentence: the scores of an epoch, each accuracy with its 95% interval, and those of a constant answer."""
    parts = []
    for split in splits or _SPLITS:
        accuracy, loss = (_number(row.get(f"{split}_{name}")) for name in ("accuracy", "loss"))
        words = []
        if constant.accuracy is not None and math.isfinite(accuracy):
            error = 1.96 * math.sqrt(max(accuracy * (1 - accuracy), 0.0) / max(samples.get(split, 1), 1))
            words.append(f"accuracy {fixed(accuracy, 3)} ± {fixed(error, 3)}")
        words += [f"loss {short(loss)}"] if math.isfinite(loss) else []
        parts += [f"{split} {' and '.join(words)}"] if words else []
    own = [f"accuracy {fixed(constant.accuracy, 3)}"] if constant.accuracy is not None else []
    own += [f"loss {short(constant.loss)}"] if math.isfinite(constant.loss) else []
    return (
        f"after epoch {row['epoch']} {', '.join(parts)}, no better than one answer for all training pictures: "
        f"{' and '.join(own)}."
    )


def short(number: float) -> str:
    """A number as sentences have it: three digits behind the point, none of a large one, or a power of ten."""
    size = abs(number)
    if 1e-2 <= size < 1e4 or number == 0:
        return fixed(number, 3 if size < 100 else 0)
    return with_minus(f"{number:.2g}")


def scores_of(row: Mapping[str, Any], split: str) -> dict[str, Any]:
    """The scores of a split in a row of the history."""
    return {key.removeprefix(f"{split}_"): value for key, value in row.items() if key.startswith(f"{split}_")}


def some_of(images: ImageSet, most: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Up to so many pictures, evenly spaced: uint8 N×C×H×W and their targets."""
    return images.batch(spaced(len(images), most))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
