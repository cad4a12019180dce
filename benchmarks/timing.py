"""What calls take: seconds by the clock on the wall or by the processor's own, in turns, and memory."""

import argparse
import ctypes
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine


@dataclass(frozen=True)
class Clock:
    """By which calls are timed.

    :param of_processor: counts what the processor worked for this process, on one thread, whatever else it is at work
        on; otherwise what went by on the wall, on all cores.
    """

    of_processor: bool

    def __call__(self) -> float:
        """Seconds since some moment."""
        return time.process_time() if self.of_processor else time.perf_counter()

    def __str__(self) -> str:
        if self.of_processor:
            return "processor time of one thread, which does not count what else the machine is at work on"
        return f"by the clock on the wall, {machine.usable_cores()} threads"

    def set_threads(self) -> None:
        """Has torch compute on as many threads as are timed."""
        import torch

        torch.set_num_threads(1 if self.of_processor else machine.usable_cores())


def add_clock(parser: argparse.ArgumentParser) -> None:
    """The option by which a person chooses."""
    parser.add_argument("--processor-time", action="store_true", help="one thread, by the time it had of the processor")


def in_turns(calls: Mapping[str, Callable[[], Any]], repeats: int, clock: Clock) -> dict[str, list[float]]:
    """Seconds of each call, one of each after another."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            began = clock()
            call()
            seconds[name].append(clock() - began)
    return seconds


def ratio(seconds: Mapping[str, list[float]], own: str) -> float | None:
    """How many times as fast one is as the fastest of the others: the median over the turns."""
    others = [each for name, each in seconds.items() if name != own]
    if not others:
        return None
    fastest = min(others, key=statistics.median)
    return statistics.median(theirs / ours for theirs, ours in zip(fastest, seconds[own], strict=True))


def memory_of(call: Callable[[], Any]) -> tuple[float | None, Any]:
    """MiB that a call adds to what the process holds while it runs, and what it gives; None where Linux is not."""
    status, resets = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    try:
        # What the allocator kept of earlier calls would be taken for nothing.
        ctypes.CDLL(None).malloc_trim(0)
        resets.write_text("5")
    except (OSError, AttributeError):
        return None, call()
    before = _kibibytes(status, "VmRSS")
    value = call()
    return (_kibibytes(status, "VmHWM") - before) / 1024, value


def _kibibytes(status: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(f"{name}:"))
