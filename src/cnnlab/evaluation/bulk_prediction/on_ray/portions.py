"""What goes to the nodes and comes back: pictures by their names, and outputs."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.files import open_regular
from cnnlab.data import ImageFile
from cnnlab.data.raw_images import in_parts
from cnnlab.data.white import White

_MOST_PICTURES = 1024
_FOR_EACH_WORKER = 4
_SAMPLE_BYTES = 1 << 16

Sample = tuple[str, int, str]
"""A file by its path, its size, and the digest of how it begins."""


@dataclass(frozen=True)
class Portion:
    """Pictures that one worker predicts in one go.

    :param start: the place of the first among all; ``batch`` how many are shown to the model at once.
    :param pictures: the path of each, or its name in an archive behind the path of that.
    """

    start: int
    batch: int
    pictures: Sequence[tuple[str | None, str]]


@dataclass(frozen=True)
class BatchOutputs:
    """What came out for one batch.

    :param start: the place of its first picture among all; ``end`` that behind its last.
    :param places: of the pictures that could be read; ``outputs`` theirs, n×K, None where there are none.
    :param bad: the places of the others, each with the reason.
    """

    start: int
    end: int
    places: Sequence[int]
    outputs: NDArray[np.float32] | None
    bad: Sequence[tuple[int, str]]


@dataclass(frozen=True)
class Answer:
    """What a worker says of a portion.

    :param batches: that it came through.
    :param problem: why it cannot predict at all, with the name of its node.
    :param warnings: what a person should know of its node.
    :param is_white_unknown: whether it stopped at a picture of more than 8 bits of which nothing says what is white.
    """

    batches: Sequence[BatchOutputs] = ()
    problem: str | None = None
    warnings: Sequence[str] = ()
    is_white_unknown: bool = False


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker has to know.

    :param versions: of what results depend on, as the machine that asks has them.
    :param samples: files by which it tells whether it sees the pictures; none where it is sent all.
    :param threads: that decode.
    """

    versions: Mapping[str, Any]
    samples: Sequence[Sample]
    white: White
    threads: int


def portions(images: Sequence[ImageFile], start: int, batch: int, workers: int) -> list[Portion]:
    """The pictures from a place on, in portions of whole batches: several for each worker, none of too many."""
    batches = ceil((len(images) - start) / batch)
    at_once = max(1, min(_MOST_PICTURES // batch, ceil(batches / (_FOR_EACH_WORKER * workers))))
    archives: dict[int, str] = {}

    def named(image: ImageFile) -> tuple[str | None, str]:
        if not image.is_packed:
            return None, os.path.abspath(image.file)
        source = id(image.source)
        if source not in archives:
            archives[source] = os.path.abspath(image.file)
        return archives[source], image.member

    return [
        Portion(places.start, batch, [named(images[place]) for place in places])
        for places in in_parts(start, len(images), at_once * batch)
    ]


def samples(images: Sequence[ImageFile]) -> list[Sample]:
    """The files of the first, the middle and the last picture, by which another machine tells whether it sees them."""
    paths = dict.fromkeys(images[place].file for place in (0, len(images) // 2, len(images) - 1))
    return [taken for path in paths if (taken := sample(os.path.abspath(path))) is not None]


def sample(path: str) -> Sample | None:
    """The file there; None where none can be read."""
    try:
        with open_regular(Path(path)) as file:
            return path, os.fstat(file.fileno()).st_size, hashlib.sha256(file.read(_SAMPLE_BYTES)).hexdigest()
    except OSError:
        return None
