"""The checkpoint of a run: all that it needs to go on, written after each epoch and every so often within one."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from cnnlab.runs.record import CHECKPOINT
from cnnlab.training import checkpoint_file
from cnnlab.training.ema import MovingAverage
from cnnlab.training.state import Counters


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as read: the counters at once, the rest put back where it belongs on demand."""

    counters: Counters
    tensors: dict[str, Any]
    facts: dict[str, Any]

    @property
    def extra(self) -> dict[str, Any]:
        """The plain state of whatever else had one."""
        return dict(self.facts["extra"])

    def restore(self, network: nn.Module, optimizer: Optimizer | None, average: MovingAverage | None) -> None:
        """Puts weights, moving average and, where there is one to go on, the optimiser's state back.

        :raises UsageError: when they are those of a network of other layers.
        """
        checkpoint_file.load_weights(network, checkpoint_file.without_prefix("network", self.tensors))
        if average is not None:
            checkpoint_file.load_weights(average.module, checkpoint_file.without_prefix("average", self.tensors))
        if optimizer is None:
            return
        own = checkpoint_file.without_prefix("optimizer", self.tensors)
        checkpoint_file.unpack_optimizer(optimizer, own, self.facts["optimizer"])


class Checkpoints:
    """Keeps the checkpoint of one run; there is one at a time, and each takes the place of the last.

    :param folder: of the run.
    :param seconds: after which the next is due.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.path, self.seconds = _path(folder), seconds
        self._saved_at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last was written long enough ago."""
        return time.monotonic() - self._saved_at >= self.seconds

    def load(self) -> Checkpoint | None:
        """The one there is; None before the first.

        :raises StorageError: when the file is damaged.
        """
        if not self.path.exists():
            return None
        tensors, facts = checkpoint_file.load_checkpoint(self.path)
        return Checkpoint(Counters.from_dict(facts["counters"]), tensors, facts)

    def save(
        self,
        counters: Counters,
        network: nn.Module,
        optimizer: Optimizer,
        average: MovingAverage | None,
        extra: dict[str, Any],
    ) -> None:
        """Writes the state of a training; ``extra`` is the plain state of whatever else has one.

        :raises StorageError: when it cannot be written; the last one stays.
        """
        tensors, rest = checkpoint_file.pack_optimizer(optimizer)
        packed = checkpoint_file.with_prefix("network", network.state_dict())
        packed |= checkpoint_file.with_prefix("optimizer", tensors)
        if average is not None:
            packed |= checkpoint_file.with_prefix("average", average.module.state_dict())
        facts = {"counters": counters.to_dict(), "optimizer": rest, "extra": extra}
        checkpoint_file.save_checkpoint(self.path, packed, facts)
        self._saved_at = time.monotonic()


def has_checkpoint(folder: Path) -> bool:
    """Whether the run in this folder has got as far as a checkpoint."""
    return _path(folder).exists()


def remove_checkpoint(folder: Path) -> None:
    """Removes the checkpoint of a run that needs it no more."""
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)


def _path(folder: Path) -> Path:
    return folder / CHECKPOINT / "state.safetensors"
