"""Where a training is: everything plain that changes from step to step."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Counters:
    """How far a training is, and the rows of its history.

    :param epoch: epochs done over the whole training, parents included.
    :param step: steps done, likewise.
    :param in_epoch: steps done of the epoch under way.
    :param sums: running sums over the samples of the epoch under way, ``samples`` among them.
    :param rows: of the history, one an epoch.
    :param first_rate: the learning rate of the first step of the epoch under way; None before that.
    :param seconds: time spent in training so far, all attempts together.
    :param epoch_seconds: likewise, of the epoch under way.
    """

    epoch: int = 0
    step: int = 0
    in_epoch: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    first_rate: float | None = None
    seconds: float = 0.0
    epoch_seconds: float = 0.0

    def add(self, sums: dict[str, float]) -> None:
        """Adds the sums of a step to those of the epoch."""
        for key, value in sums.items():
            self.sums[key] = self.sums.get(key, 0.0) + value

    def end_epoch(self, row: dict[str, Any]) -> None:
        """The epoch under way is done, and the next begins."""
        self.rows.append(row)
        self.epoch, self.in_epoch = row["epoch"], 0
        self.seconds += self.epoch_seconds
        self.sums, self.epoch_seconds, self.first_rate = {}, 0.0, None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Counters":
        """What :meth:`to_dict` gave."""
        return cls(**plain)
