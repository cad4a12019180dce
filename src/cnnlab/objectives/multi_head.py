"""Several objectives at once, each with a head of its own."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from cnnlab.core.arguments import NonNegative
from cnnlab.core.errors import UsageError
from cnnlab.core.spec import Call
from cnnlab.objectives.base import Objective, objectives
from cnnlab.objectives.columns import Columns, Targets
from cnnlab.objectives.quantity import NumberHead
from cnnlab.objectives.single import Numeric, Single

T = TypeVar("T")
_AT_ONCE = 1024
_MOST_CANDIDATES = 100_000


class MultiHead(Objective):
    """Heads side by side, whose weighted losses are added up.

    Metrics: ``loss``, and those of each head under its name, as in ``hour_accuracy`` and ``minute_loss``.

    Where several heads speak of one column, as those for both hands of a clock do of the minute, they vote: of all
    values that their columns can take together, the one is decoded that is most likely by all of them.
    """

    def __init__(
        self, parts: Mapping[str, Single], calls: Mapping[str, Call], weights: Sequence[float] | None = None
    ) -> None:
        self.parts, self.calls = dict(parts), dict(calls)
        self.weights = dict(zip(self.parts, weights or [1.0] * len(self.parts), strict=True))
        self.heads = {head: part.width for head, part in self.parts.items()}
        self.predicts = tuple(dict.fromkeys(column for part in self.parts.values() for column in part.predicts))
        self.class_heads = {column: head for head, part in self.parts.items() for column in part.class_heads}
        self.soft = all(part.soft for part in self.parts.values())
        self.smooths = any(part.smooths for part in self.parts.values())
        self.scored = self._prefixed(lambda part: ("loss", *part.scored))
        self.tallied = self._prefixed(lambda part: part.tallied)
        self.ballot = Ballot.of(self.parts)
        self._settle()

    def _settle(self) -> None:
        self.scales = {head: scale for head, part in self.parts.items() for scale in part.scales.values()}
        bound = {head: objectives.bind(call) for head, call in self.calls.items()}
        self.settled = {
            head: Call(bound[head].name, (), {**bound[head].arguments, **part.settled})
            for head, part in self.parts.items()
        }

    def _prefixed(self, names: Any) -> tuple[str, ...]:
        return tuple(f"{head}_{name}" for head, part in self.parts.items() for name in names(part))

    @property
    def number_heads(self) -> Mapping[str, NumberHead]:
        """Those of its heads that predict a number, each by itself, before any vote."""
        return {head: part for head, part in self.parts.items() if isinstance(part, Numeric)}

    def fit(self, targets: Targets) -> None:
        """Each head by itself."""
        for part in self.parts.values():
            part.fit(targets)
        self._settle()

    def check(self, targets: Targets) -> None:
        """Refuses what any of the heads does."""
        for part in self.parts.values():
            part.check(targets)

    def encode(self, targets: Targets) -> dict[str, Tensor]:
        """The target of each head."""
        return {head: part.target(targets) for head, part in self.parts.items()}

    def loss(self, outputs: Tensor, encoded: Targets, weights: Targets | None = None) -> Tensor:
        """The sum of the heads' losses, each times its weight."""
        if self.own_loss is not None:
            return self.own_loss(*self.for_loss(outputs, encoded))
        split, total = self.split(outputs), outputs.new_zeros(len(outputs)).float()
        for head, part in self.parts.items():
            weight = None if weights is None or head not in weights else {part.name: weights[head]}
            total = total + self.weights[head] * part.loss(split[head], {part.name: encoded[head]}, weight)
        return total

    def labels(self, targets: Targets) -> dict[str, tuple[Tensor, int]]:
        """The classes of each head that tells classes apart."""
        by_head = {head: part.classed(targets) for head, part in self.parts.items()}
        return {head: labels for head, labels in by_head.items() if labels is not None}

    def smooth(self, encoded: Targets, amount: float) -> dict[str, Tensor]:
        """Label smoothing of the heads that tell classes apart; the others as they are."""
        return {
            head: part.softened(encoded[head], amount) if part.smooths else encoded[head]
            for head, part in self.parts.items()
        }

    def tally(self, outputs: Tensor, encoded: Targets) -> dict[str, Tensor]:
        """The sums of each head, under its name."""
        split = self.split(outputs)
        sums = {head: part.tally(split[head], {part.name: encoded[head]}) for head, part in self.parts.items()}
        return {f"{head}_{name}": value for head, part in sums.items() for name, value in part.items()}

    def mixture(self, members: Tensor, shares: Tensor) -> Tensor:
        """Each head by itself; they vote afterwards."""
        split = torch.split(members, list(self.heads.values()), dim=2)
        return torch.cat([part.mixture(rows, shares) for part, rows in zip(self.parts.values(), split, strict=True)], 1)

    def probabilities(self, outputs: Tensor) -> dict[str, Tensor]:
        """Those of each head that has them."""
        split = self.split(outputs)
        by_head = {head: part.probabilities(split[head]).get(part.name) for head, part in self.parts.items()}
        return {head: rows for head, rows in by_head.items() if rows is not None}

    def from_log_probabilities(self, logarithms: Mapping[str, Tensor]) -> Tensor:
        """Outputs of the heads side by side; refuses where any of them has no probabilities."""
        parts = self.parts.items()
        own = [{part.name: logarithms[head]} if head in logarithms else {} for head, part in parts]
        return torch.cat([part.from_log_probabilities(each) for each, (_, part) in zip(own, parts, strict=True)], dim=1)

    def confidences(self, outputs: Tensor) -> dict[str, Tensor]:
        """How sure the head is that gives each column."""
        return self._gathered(outputs, lambda part, rows: part.confidences(rows))

    def numbers(self, outputs: Tensor) -> dict[str, Tensor]:
        """What the heads predict, after the vote."""
        numbers = self._gathered(outputs, lambda part, rows: part.numbers(rows))
        for column, chosen in self._voted(outputs).items():
            table = self.ballot.tables[column]
            if table is not None:
                numbers[column] = torch.tensor(table, dtype=torch.float64, device=outputs.device)[chosen]
        return numbers

    def decode(self, outputs: Tensor) -> dict[str, Tensor]:
        """What the heads predict, after the vote."""
        return self._gathered(outputs, lambda part, rows: part.decode(rows)) | self._voted(outputs)

    def scores(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """The loss and the metrics of each head by itself, under its name."""
        split = self.split(outputs)
        scores_of_all: dict[str, float] = {}
        for head, part in self.parts.items():
            scores = {"loss": part.mean_loss(split[head], targets)} | part.scores(split[head], targets)
            scores_of_all |= {f"{head}_{name}": value for name, value in scores.items()}
        return scores_of_all

    def _gathered(self, outputs: Tensor, ask: Any) -> dict[str, Tensor]:
        """What every head says of its columns; where two speak of one, the head that is for it alone."""
        split = self.split(outputs)
        order = sorted(self.parts.items(), key=lambda item: -len(item[1].predicts))
        return _merged([ask(part, split[head]) for head, part in order])

    def _voted(self, outputs: Tensor) -> dict[str, Tensor]:
        """The classes that the voters find most likely together, N for each of their columns."""
        candidates = self.ballot.candidates(outputs.device)
        split, chosen = self.split(outputs), []
        for start in range(0, len(outputs) if candidates else 0, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            votes = [self.parts[head].support(split[head][part].double(), candidates) for head in self.ballot.voters]
            chosen.append(torch.stack(votes).sum(0).argmax(1))
        return {name: rows[torch.cat(chosen)] for name, rows in candidates.items()} if chosen else {}


@dataclass(frozen=True)
class Ballot:
    """What heads vote on: the values that their columns can take together.

    :param voters: the heads that share a column with another.
    :param tables: for each of their columns the numbers that its classes stand for, or None.
    """

    voters: tuple[str, ...]
    tables: Mapping[str, Sequence[float] | None]
    sizes: Mapping[str, int]

    @classmethod
    def of(cls, parts: Mapping[str, Single]) -> "Ballot":
        """The ballot of these heads; empty where no two speak of one column, or columns hold numbers at large."""
        counts = Counter(column for part in parts.values() for column in part.predicts)
        voters = [head for head, part in parts.items() if any(counts[column] > 1 for column in part.predicts)]
        tables = _merged([parts[head].tables for head in voters])
        sizes = _merged([parts[head].sizes for head in voters])
        columns = {column for head in voters for column in parts[head].predicts}
        if columns != set(sizes) or math.prod(sizes.values()) > _MOST_CANDIDATES:
            return cls((), {}, {})
        return cls(tuple(voters), tables, sizes)

    def candidates(self, device: torch.device) -> dict[str, Tensor]:
        """Every combination of classes: a column of M class indices each."""
        if not self.voters:
            return {}
        grids = torch.meshgrid(*(torch.arange(size, device=device) for size in self.sizes.values()), indexing="ij")
        return {name: grid.flatten() for name, grid in zip(self.sizes, grids, strict=True)}


def _merged(parts: Sequence[Mapping[str, T]]) -> dict[str, T]:
    return {name: value for part in parts for name, value in part.items()}


@objectives.register("multi-head")
def multi_head(columns: Columns, weights: tuple[NonNegative, ...] | None = None, **heads: Call) -> MultiHead:
    """Several objectives at once: a head each, under the name of its column or any other.

    A head that names no column is for the one whose name it bears, as in ``multi-head(hour=classes, minute=scalar)``.

    :param weights: what the loss of each head counts, in the order of the heads; 1 each unless told otherwise.
    """
    if not heads:
        raise UsageError(
            "objective=multi-head needs heads, each with an objective, as in "
            "'objective=multi-head(hour=classes, minute=scalar)'."
        )
    if weights is not None and (len(weights) != len(heads) or not any(weights)):
        raise UsageError(
            f"weights of objective=multi-head takes a number for each of {len(heads)} heads ({', '.join(heads)}), not "
            f"all 0; got {list(weights)}."
        )
    parts = {head: _head(head, call, columns) for head, call in heads.items()}
    return MultiHead(parts, heads, weights)


def _head(head: str, call: Call, columns: Columns) -> Single:
    bound = objectives.bind(call)
    # A column named after the head is the one it is for.
    own = (
        {head: columns[head]} if head in columns and not isinstance(bound.arguments.get("column"), str | tuple) else {}
    )
    try:
        part = bound.build(columns=own or columns)
    except UsageError as error:
        raise UsageError(f"head {head} of objective=multi-head: {error}") from error
    if not isinstance(part, Single):
        raise UsageError(f"head {head} of objective=multi-head is one of several heads itself; name its heads here.")
    return part
