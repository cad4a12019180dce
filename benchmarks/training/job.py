"""What every measured process is told and what it answers, one JSON document each way; the same pictures for all."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

MULTIPLE = 256
"""Images an epoch are a multiple of the batch, so that nobody compiles anew for a last, smaller one."""


@dataclass(frozen=True)
class Job:
    """One measurement: a network on pictures of a shape, for some epochs after a warm-up.

    :param net: ``vgg-like`` or ``convnet``.
    :param shape: height, width and channels.
    :param images: pictures an epoch.
    :param epochs: epochs that count; the warm-up comes on top.
    :param precision: ``default``, or the format the subject is asked to compute in.
    """

    net: str
    shape: tuple[int, int, int]
    images: int
    epochs: int
    device: str = "cpu"
    precision: str = "default"
    batch_size: int = 256

    def dumps(self) -> str:
        """The text that :func:`answer` reads."""
        return json.dumps(asdict(self))

    def random_images(self) -> tuple[np.ndarray, np.ndarray]:
        """Random uint8 pictures N×H×W×C and labels of ten classes; the time of a step does not depend on them."""
        source = np.random.default_rng(0)
        images = source.integers(0, 256, (self.images, *self.shape), dtype=np.uint8)
        return images, source.integers(0, 10, self.images)


def answer(measure: Callable[[Job], dict[str, Any]], packages: tuple[str, ...]) -> None:
    """Runs ``measure`` on the job of the command line and prints what it found, with the versions, as JSON."""
    content = json.loads(sys.argv[1])
    found = measure(Job(**content | {"shape": tuple(content["shape"])}))
    print(json.dumps(found | {"versions": {name: _version(name) for name in packages}}))


def rates(images: int, seconds: list[float]) -> list[float]:
    """Images a second of each epoch."""
    return [images / s for s in seconds]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
