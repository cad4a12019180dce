"""What every measured process is told and what it answers, one JSON document each way; the same pictures for all."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

WINDOWS = 8
_STORED = 60_000_000

FLIP, DEGREES, SHIFT, SHEAR, ZOOM = 0.5, 30.0, 0.1, 10.0, 0.2
"""The five operations, for all: mirrored with this probability; the others evenly, up to this either way."""


@dataclass(frozen=True)
class Job:
    """One measurement.

    :param shape: channels, height and width.
    :param batch: pictures in a batch.
    :param seconds: how long to measure, after a warm-up.
    """

    shape: tuple[int, int, int]
    batch: int
    seconds: float
    device: str = "cpu"

    def dumps(self) -> str:
        """The text that :func:`answer` reads."""
        return json.dumps(asdict(self))

    def random_images(self) -> np.ndarray:
        """Random uint8 pictures N×C×H×W, several batches; the time does not depend on what they show."""
        batches = max(2, _STORED // (self.batch * math.prod(self.shape)))
        count = self.batch * min(batches, 16)
        return np.random.default_rng(0).integers(0, 256, (count, *self.shape), dtype=np.uint8)


def rates(batches: Iterator[Any], job: Job, wait: Callable[[], object] = lambda: None) -> list[float]:
    """Pictures a second in each of several equal stretches of time, after a warm-up of a third of one.

    :param wait: returns when all that was asked for is done.
    """
    length = job.seconds / WINDOWS
    _stretch(batches, length / 3, wait)
    found = []
    for _ in range(WINDOWS):
        count, seconds = _stretch(batches, length, wait)
        found.append(count * job.batch / seconds)
    return found


def _stretch(batches: Iterator[Any], least: float, wait: Callable[[], object]) -> tuple[int, float]:
    wait()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < least or not count:
        next(batches)
        count += 1
    wait()
    return count, time.perf_counter() - start


def check(batch: Any, job: Job) -> None:
    """That a subject does what all do: floats in [0, 1], as many and as large as what came in."""
    values = np.asarray(batch)
    assert values.dtype == np.float32 and values.size == job.batch * math.prod(job.shape), (values.dtype, values.shape)
    assert values.min() >= -1e-3 and values.max() <= 1 + 1e-3, (values.min(), values.max())
    assert values.std() > 0.05


def answer(measure: Callable[[Job], dict[str, Any]], packages: tuple[str, ...]) -> None:
    """Runs ``measure`` on the job of the command line and prints what it found, with the versions, as JSON."""
    content = json.loads(sys.argv[1])
    found = measure(Job(**content | {"shape": tuple(content["shape"])}))
    print(json.dumps(found | {"versions": {name: _version(name) for name in packages}}))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
