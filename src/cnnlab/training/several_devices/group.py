"""The processes of one training, one a device: what they tell each other, and how the failure of one ends all."""

import atexit
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import FileStore, PrefixStore, Store  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from cnnlab.core.errors import TrainingError, UsageError
from cnnlab.training.divergence import DivergedError
from cnnlab.training.several_devices.presence import RENDEZVOUS, PeerFailedError

_MEETING = timedelta(minutes=5)
"""For all to come up: each loads torch and the data."""
_SILENCE = timedelta(minutes=30)
"""After which whoever waits for another gives up; the first may write, score and call callbacks for so long."""
_LAST_WORDS_SECONDS = 1.0
"""For the word of a process whose connection was closed to arrive."""
_FAILED = "failed"


class DeviceGroup:
    """The processes that train one network together.

    What is agreed and shared goes over the processors' memory or the network (gloo), whatever computes; gradients and
    statistics go by :meth:`channel`.

    :param rank: which of them this is, counted from 0; the first writes, prints and decides.
    :param local_rank: which of those on this machine.
    """

    def __init__(self, store: Store, rank: int, size: int, local_rank: int) -> None:
        self.store, self.rank, self.size, self.local_rank = store, rank, size, local_rank
        self._channels: dict[str, Any] = {}
        dist.init_process_group(
            "gloo", store=PrefixStore("cnnlab", store), rank=rank, world_size=size, timeout=_SILENCE
        )

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes, prints and decides."""
        return self.rank == 0

    def share(self, value: Any = None) -> Any:
        """What the first gives, plain values, as all get it; what others give does not matter."""
        text = json.dumps(value).encode() if self.is_first else b""
        length = torch.tensor([len(text)])
        dist.broadcast(length, 0)
        letters = torch.empty(int(length), dtype=torch.uint8)
        if self.is_first:
            letters.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
        dist.broadcast(letters, 0)
        return json.loads(letters.numpy().tobytes())

    def largest(self, *numbers: int) -> list[int]:
        """Of each number the largest that any of them gives."""
        found = torch.tensor(numbers)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return [int(number) for number in found]

    def total(self, numbers: Tensor) -> Tensor:
        """The sum over all of tensors of one shape, on the host."""
        found = numbers.cpu()
        dist.all_reduce(found)
        return found

    def put_together(self, count: int, places: Tensor, rows: Tensor) -> Tensor:
        """The ``count`` rows of which each has some, N×K on the host, for all of them.

        :param places: of this device's rows among all; ``rows`` may be none at all, and then of no width.
        """
        (width,) = self.largest(rows.shape[1])
        whole = torch.zeros(count, width)
        whole[places] = rows if len(rows) else whole[:0]
        # Of zeros and one number the sum is that number.
        return self.total(whole)

    def channel(self, device: torch.device) -> Any:
        """What tensors on this device are exchanged by: NCCL between GPUs where it is to be had, else gloo."""
        has_nccl = device.type == "cuda" and dist.is_nccl_available()
        kind = "nccl" if has_nccl else "gloo"
        if kind not in self._channels:
            self._channels[kind] = dist.new_group(backend="nccl", timeout=_SILENCE) if has_nccl else dist.group.WORLD
        return self._channels[kind]

    @contextmanager
    def failing_together(self, spared: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """A block in which an error of one process ends all: with this error there, and with one line altogether.

        :param spared: what is raised and is no failure.
        :raises PeerFailedError: in the other processes.
        """
        try:
            yield
        except (PeerFailedError, DivergedError):
            # A loss that is no number is so on all devices, each of which sees it.
            raise
        except Exception as error:
            if isinstance(error, spared):
                raise
            failure = self._failure(error)
            leave()
            if failure is None:
                raise
            raise failure from error

    def _failure(self, error: Exception) -> PeerFailedError | None:
        """What to raise in the place of an error of this process; None where it is the first."""
        is_cut_off = _is_cut_off(error)
        first = self._first_word(wait=is_cut_off)
        if first is None and not is_cut_off:
            word = json.dumps([self.rank, str(error)])
            with suppress(RuntimeError):
                first = json.loads(self.store.compare_set(_FAILED, "", word))
            first = first or [self.rank, str(error)]
        if first is None:
            return PeerFailedError(
                "another process of this training ended without a word, as the system ends one when memory runs out. "
                "Nothing since the last checkpoint is kept; go on with the same command.",
                is_told=False,
            )
        return None if first[0] == self.rank else PeerFailedError(str(first[1]), is_told=True)

    def _first_word(self, wait: bool) -> Any:
        """Who failed first and why, where that is known."""
        deadline = time.monotonic() + (_LAST_WORDS_SECONDS if wait else 0.0)
        while True:
            try:
                if self.store.check([_FAILED]):
                    return json.loads(self.store.get(_FAILED))
            except RuntimeError:
                # The store went with the process that kept it, which then is the one that failed.
                return [0, "the first process of this training failed."]
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.1)


_joined: DeviceGroup | None = None


def join() -> DeviceGroup:
    """The group that this process is one of, met when it is first asked for.

    :raises UsageError: where the others cannot be met.
    :raises TrainingError: where they have parted, after an error of one.
    """
    global _joined
    if _joined is not None:
        if not dist.is_initialized():
            raise TrainingError(
                "the processes of this training have parted, since one of them failed. Start all of them anew."
            )
        return _joined
    if dist.is_initialized():
        raise UsageError(
            "torch.distributed was set up before cnnlab trains, which it does itself under torchrun. Leave "
            "init_process_group out."
        )
    try:
        _joined = _met()
    except (RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"the processes of this training did not find each other ({reason}). Under torchrun every one of them "
            "has to come up, and the address and port that it names have to be free and reachable."
        ) from error
    atexit.register(leave)
    return _joined


def leave() -> None:
    """Closes what connects this process with the others, so that whoever waits for it is told."""
    if dist.is_initialized():
        with suppress(RuntimeError):
            dist.destroy_process_group()


def _met() -> DeviceGroup:
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if RENDEZVOUS in os.environ:
        store: Store = FileStore(os.environ[RENDEZVOUS], size)
        store.set_timeout(_MEETING)
    else:
        store, rank, size = next(rendezvous("env://", timeout=_MEETING))  # type: ignore[no-untyped-call]
    return DeviceGroup(store, rank, size, int(os.environ.get("LOCAL_RANK", rank)))


def _is_cut_off(error: Exception) -> bool:
    """Whether it says that another process is gone, or has been silent for too long."""
    if isinstance(error, dist.DistError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in ("gloo", "NCCL", "by peer"))
