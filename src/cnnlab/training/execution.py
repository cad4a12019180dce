"""How a training is carried out: device, precision, threads. It may change bits, never meaning.

Chosen once at the start of a run, written to ``run.json``, and used again whenever the run goes on.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.core.devices import best_device, check_device
from cnnlab.core.memory import kept_between_steps
from cnnlab.core.seeds import scope
from cnnlab.models import autocast

_CLEARLY_FASTER = 0.9
_TURNS = 5


@dataclass(frozen=True)
class Execution:
    """The device, number format, memory layout and threads of one training.

    :param precision: ``float32``, or the format that autocast uses over float32 weights.
    :param parts: into how many parts a batch is split for want of memory; gradients are accumulated.
    """

    device: str = "cpu"
    precision: str = "float32"
    channels_last: bool = True
    threads: int = 1
    workers: int = 1
    parts: int = 1
    compile: bool = False

    @property
    def torch_device(self) -> torch.device:
        """The device as torch knows it."""
        return torch.device(self.device)

    @property
    def memory_format(self) -> torch.memory_format:
        """Channels-last where it is used, else contiguous."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self) -> AbstractContextManager[Any]:
        """The block in which the forward pass runs."""
        return autocast(self.device, self.precision)

    def to_dict(self) -> dict[str, Any]:
        """As ``run.json`` holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Execution":
        """As ``run.json`` held it; the device must still be there.

        :raises UsageError: when it is not, with the remedy.
        """
        execution = cls(**{key: stored[key] for key in cls.__dataclass_fields__ if key in stored})
        check_device(execution.device, "Start the recipe again with --again to train it on another device.")
        return execution

    @contextmanager
    def applied(self) -> Iterator[None]:
        """A block in which torch uses this number of threads, and memory stays at hand."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with kept_between_steps():
                yield
        finally:
            torch.set_num_threads(before)


def choose(
    *, device: str = "auto", precision: str = "auto", threads: int | None, workers: int | None, compile: bool
) -> Execution:
    """What the recipe asks for, ``auto`` settled except for the precision, which :func:`settle` tries out."""
    place = best_device() if device == "auto" else device
    check_device(place, "Leave device out to let cnnlab choose.")
    cores = usable_cores()
    return Execution(place, precision, True, threads or cores, workers or cores, 1, compile)


def settle(execution: Execution, network: nn.Module, batch: Tensor, step: Callable[[Tensor], Tensor]) -> Execution:
    """The execution with its precision chosen by timing a few steps of the real network in each format.

    :param batch: pixels N×C×H×W in [0, 1] on the device.
    :param step: from pixels to a loss.
    """
    if execution.precision != "auto":
        return execution
    if execution.torch_device.type == "cuda":
        fits = torch.cuda.is_bf16_supported(including_emulation=False)
        return replace(execution, precision="bfloat16" if fits else "float16")
    if execution.torch_device.type != "cpu":
        return replace(execution, precision="float32")
    seconds = dict.fromkeys(("float32", "bfloat16"), float("inf"))
    with scope(0, "probe", device=execution.torch_device):
        # In turn, so that whatever else the machine does meanwhile strikes both formats alike; the best of all turns,
        # for the first also pays for choosing kernels.
        for _ in range(_TURNS):
            for precision, best in seconds.items():
                took = _seconds_of_a_step(replace(execution, precision=precision), network, batch, step)
                seconds[precision] = min(best, took)
    is_faster = seconds["bfloat16"] < _CLEARLY_FASTER * seconds["float32"]
    return replace(execution, precision="bfloat16" if is_faster else "float32")


def usable_cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _seconds_of_a_step(
    execution: Execution, network: nn.Module, batch: Tensor, step: Callable[[Tensor], Tensor]
) -> float:
    start = time.perf_counter()
    with execution.autocast():
        loss = step(batch)
    loss.backward()  # type: ignore[no-untyped-call]
    network.zero_grad(set_to_none=True)
    return time.perf_counter() - start
