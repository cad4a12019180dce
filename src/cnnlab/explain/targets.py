"""What of a model's outputs is explained: for each picture one number, a sum of outputs each with its weight."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.sinks import in_short
from cnnlab.models import Head, Predictable, class_index, heads_of
from cnnlab.objectives import Objective

Score: TypeAlias = Literal["output", "probability"]
"""What the number is: the raw output, such as a logit, or the probability that is made of the outputs."""


@dataclass(frozen=True)
class Chosen:
    """What is explained of some pictures, once it is settled.

    :param weights: N×K, what each output counts for each picture.
    :param heads: of each picture, N; ``indices`` the class within it.
    """

    objective: Objective
    score: Score
    weights: Tensor
    heads: tuple[Head, ...]
    indices: tuple[int, ...]

    def of(self, outputs: Tensor, rows: Tensor | None = None, counted: Tensor | None = None) -> Tensor:
        """The number that is explained, M, of outputs M×K.

        :param rows: which of the pictures each row of outputs is of; all in their order unless given.
        :param counted: which outputs were computed, where the score is of the raw output; all unless given.
        """
        if self.score == "output":
            weights = self.weights if rows is None else self.weights[rows]
            return (outputs * (weights if counted is None else weights[:, counted])).sum(1)
        places = range(len(self.heads)) if rows is None else rows.tolist()
        probabilities = self.objective.probabilities(outputs)
        said = [probabilities[self.heads[of].name][row, self.indices[of]] for row, of in enumerate(places)]
        return torch.stack(said)

    def counted(self, rows: Tensor | None = None) -> Tensor:
        """The outputs that count for any of these pictures, by their places."""
        weights = self.weights if rows is None else self.weights[rows]
        return weights.any(0).nonzero().flatten()


class Target:
    """What is asked for, before it is known what the model predicts.

    :param target: None for what the model predicts, picture by picture; a class by its name or index; of several
        heads also ``"column=class"`` or ``(column, class)``, and a head alone for what it predicts; or a sequence of
        these, one a picture.
    :param count: of pictures.
    :raises UsageError: listing what there is.

    Of each picture ``asked`` has the head and the class within it, which is None where what is predicted is meant.
    """

    def __init__(self, model: Predictable, target: Any, count: int, score: Score = "output") -> None:
        self.objective, self.heads = heads_of(model)
        self.count, self.score = count, score
        self._by_name = {head.name: head for head in self.heads}
        self._columns = {column: self._by_name[head] for column, head in self.objective.class_heads.items()}
        each = self._each(target, count)
        self.asked = [self._read(one) for one in each]
        heads = {head.name: head for head, _ in self.asked}
        if score not in ("output", "probability"):
            raise UsageError(f"score takes output or probability; got {in_short(str(score))}.")
        numbers = [head.name for head in heads.values() if not head.has_classes]
        if score == "probability" and numbers:
            raise UsageError(f"{numbers[0]} is predicted as a number, which has no probability: leave score= out.")
        is_open = len(self.heads) > 1 and any(one is None for one in each)
        self.notes = [f"of {len(self.heads)} heads this explains the first, {self.heads[0].name}"] if is_open else []

    def chosen(self, outputs: Tensor, start: int = 0) -> Chosen:
        """What is explained of the pictures from ``start`` on that have these outputs, N×K."""
        outputs = outputs.detach()
        asked = self.asked[start : start + len(outputs)]
        weights = torch.zeros_like(outputs)
        indices = torch.zeros(len(outputs), dtype=torch.long, device=outputs.device)
        for head in dict.fromkeys(head for head, _ in asked):
            rows = torch.tensor([row for row, (own, _) in enumerate(asked) if own == head], device=outputs.device)
            given = [index for own, index in asked if own == head]
            if any(index is None for index in given):
                likely = head.predicted(outputs[rows]).tolist()
                given = [likely[row] if index is None else index for row, index in enumerate(given)]
            indices[rows] = torch.tensor(given, device=outputs.device)
            weights[rows, head.outputs] = head.weights(outputs[rows], indices[rows])
        return Chosen(self.objective, self.score, weights, tuple(head for head, _ in asked), tuple(indices.tolist()))

    def name(self, head: Head, index: int) -> str:
        """What was explained, as people call it."""
        if not head.names:
            return head.name
        return head.names[index] if len(self.heads) == 1 else f"{head.name}={head.names[index]}"

    def _each(self, target: Any, count: int) -> list[Any]:
        if isinstance(target, Tensor | np.ndarray):
            target = target.tolist()
        if not isinstance(target, Sequence) or isinstance(target, str) or self._is_pair(target):
            return [target] * count
        if len(target) != count:
            raise UsageError(
                f"target names {len(target)} for {count} pictures: give one for all of them, or one for each."
            )
        return list(target)

    def _is_pair(self, target: Sequence[Any]) -> bool:
        """Whether it is one ``(column, class)``, and no sequence of two classes."""
        is_named = isinstance(target, tuple) and len(target) == 2 and isinstance(target[0], str)
        is_head = is_named and (target[0] in self._by_name or target[0] in self._columns)
        return is_head and not any(target[0] in head.names for head in self.heads)

    def _read(self, one: Any) -> tuple[Head, int | None]:
        if one is None:
            return self.heads[0], None
        if isinstance(one, tuple) and len(one) == 2:
            return self._within(str(one[0]), one[1])
        if isinstance(one, str) and len(self.heads) == 1 and one in self.heads[0].names:
            return self.heads[0], self.heads[0].names.index(one)
        if isinstance(one, str):
            column, equals, rest = one.partition("=")
            if column in self._by_name or column in self._columns:
                return self._within(column, rest if equals else None)
        if len(self.heads) == 1:
            return self.heads[0], class_index(self.heads[0], one)
        holders = [head for head in self.heads if one in head.names] if isinstance(one, str) else []
        if len(holders) == 1:
            return holders[0], holders[0].names.index(one)
        names = ", ".join(head.name for head in self.heads)
        raise UsageError(
            f"the model has {len(self.heads)} heads ({names}): say of which, as in "
            f"target={self.heads[0].name}={in_short(str(one))}."
        )

    def _within(self, column: str, wanted: Any) -> tuple[Head, int | None]:
        head = self._by_name.get(column) or self._columns.get(column)
        if head is None:
            raise UsageError(f"the model has no head {in_short(column)}. {suggestion(column, self._by_name)}")
        return head, None if wanted is None else class_index(head, wanted)


def distinct_targets(model: Predictable, targets: Sequence[str]) -> tuple[str, ...]:
    """Targets as they are given, without those that say again, by another name, what one before them says.

    :raises UsageError: for one that there is not, listing what there is.
    """
    found: dict[tuple[Head, int | None], str] = {}
    for target in targets:
        found.setdefault(Target(model, target, 1).asked[0], target)
    return tuple(found.values())
