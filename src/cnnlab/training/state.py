"""Where a training is: everything that changes from step to step, and its checkpoint."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from cnnlab.training import checkpoint
from cnnlab.training.ema import MovingAverage


@dataclass
class Best:
    """The epoch selected so far; ``value`` is turned so that higher is better."""

    epoch: int | None = None
    value: float = -math.inf


@dataclass
class Counters:
    """The plain part of the state.

    :param epoch: epochs done over the whole training, parents included.
    :param step: steps done, likewise.
    :param in_epoch: steps done of the epoch under way.
    :param sums: running sums over the samples of the epoch under way, ``samples`` among them.
    :param judged: the selection metric after each epoch, turned so that higher is better.
    :param seconds: time spent in training so far, all attempts together.
    """

    epoch: int = 0
    step: int = 0
    in_epoch: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    judged: list[float] = field(default_factory=list)
    best: Best = field(default_factory=Best)
    seconds: float = 0.0
    epoch_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values; an infinity is stored as null."""
        plain = asdict(self)
        plain["best"]["value"] = None if self.best.epoch is None else self.best.value
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Counters":
        """What :meth:`to_dict` gave."""
        best = plain.pop("best")
        return cls(**plain, best=Best() if best["epoch"] is None else Best(**best))


def save_state(
    path: Path,
    counters: Counters,
    network: nn.Module,
    optimizer: Optimizer,
    average: MovingAverage | None,
    extra: dict[str, Any],
) -> None:
    """Writes the checkpoint; ``extra`` holds the plain state of whatever else has one."""
    tensors, rest = checkpoint.pack_optimizer(optimizer)
    packed = checkpoint.with_prefix("network", network.state_dict()) | checkpoint.with_prefix("optimizer", tensors)
    if average is not None:
        packed |= checkpoint.with_prefix("average", average.module.state_dict())
    checkpoint.save_checkpoint(path, packed, {"counters": counters.to_dict(), "optimizer": rest, "extra": extra})


@dataclass(frozen=True)
class Stored:
    """A checkpoint as read: the counters at once, the rest put back where it belongs on demand."""

    counters: Counters
    tensors: dict[str, Any]
    facts: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> "Stored":
        """Reads the checkpoint at ``path``."""
        tensors, facts = checkpoint.load_checkpoint(path)
        return cls(Counters.from_dict(facts["counters"]), tensors, facts)

    @property
    def extra(self) -> dict[str, Any]:
        """The plain state of whatever else had one."""
        return dict(self.facts["extra"])

    def restore(self, network: nn.Module, optimizer: Optimizer | None, average: MovingAverage | None) -> None:
        """Puts weights, moving average and, where there is one to go on, the optimiser's state back."""
        checkpoint.load_weights(network, checkpoint.without_prefix("network", self.tensors))
        if average is not None:
            checkpoint.load_weights(average.module, checkpoint.without_prefix("average", self.tensors))
        if optimizer is None:
            return
        own = checkpoint.without_prefix("optimizer", self.tensors)
        checkpoint.unpack_optimizer(optimizer, own, self.facts["optimizer"])
