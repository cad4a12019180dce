"""Pictures decoded in threads ahead of the network that is shown them."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.core.messages import first_few, track, warn
from cnnlab.core.number_text import counted
from cnnlab.core.threads import map_ahead
from cnnlab.data.formats.decode import Form
from cnnlab.data.raw_images import Chunk, RawImages, in_parts, largest_value
from cnnlab.data.white import UNTOLD_REMEDY, White, say_white
from cnnlab.models import Predictable, batch_for

Batch: TypeAlias = tuple[range, Chunk, Tensor | None]
"""The places of some pictures, what was read of them, and their pixels or outputs, where any were."""

_BATCH = 256
MOST_PICTURES, MOST_SECONDS = 8192, 10.0
"""After which a stretch ends, so that what was predicted is stored: a kill costs no more."""


@dataclass
class Stretch:
    """Batches of pictures until there are enough for a part; what it went through is known once it was gone through.

    :param source: of the batches, as pixels or as what was predicted of them already.
    :param skips: whether what cannot be read is left out; ``remedy`` what to do about it where it is not.
    :param places: of the pictures shown; ``end`` the place behind the last; ``unreadable`` what was left out.
    """

    source: Iterator[Batch]
    skips: bool
    remedy: str
    places: list[int] = field(default_factory=list)
    end: int = 0
    unreadable: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Tensor]:
        began, start = time.monotonic(), None
        for places, chunk, pixels in self.source:
            self._note(chunk)
            start = places.start if start is None else start
            self.places += chunk.places
            self.end = places.stop
            if pixels is not None:
                yield pixels
            if self.end - start >= MOST_PICTURES or time.monotonic() - began >= MOST_SECONDS:
                return

    def _note(self, chunk: Chunk) -> None:
        bad = list(map(str, chunk.bad))
        if bad and not self.skips:
            raise DataError(said_of_unreadable(bad, self.remedy))
        for text in bad:
            warn(f"left out: {text}")
        self.unreadable += bad


def said_of_unreadable(bad: Sequence[str], remedy: str) -> str:
    """The sentences by which pictures that cannot be read are refused."""
    return f"these files cannot be read as pictures: {first_few(bad)}. {remedy}"


class ReadAhead:
    """Decodes pictures as a model takes them, a few batches ahead of the one that is computed.

    Threads suffice: Pillow decodes and torch computes without Python's lock.

    :param white: the values of white; by default those that the model knows.
    :param batch: how many pictures are shown at once; by default as many as go well with their size.
    :param threads: that decode; by default one for each core.
    :ivar is_white_told: whether what is white was told by the largest value of all pictures.
    """

    def __init__(
        self,
        images: RawImages,
        model: Predictable,
        *,
        white: White | None = None,
        batch: int | None = None,
        threads: int | None = None,
    ) -> None:
        channels, height, width = model.shape
        if channels not in (1, 3):
            raise DataError(f"pictures are grey or in colour, and the classifier takes {channels} channels.")
        self.batch = batch or batch_for(model.shape, _BATCH)
        self._images, self._threads = images, threads
        told = White.said(model.whites) if white is None else white
        self._form = Form((height, width), model.resize, channels, told, model.resampling)
        self.is_white_told = False

    @property
    def white(self) -> White:
        """The values of white, as far as they are known."""
        return self._form.white

    def batches(self, start: int) -> Iterator[Batch]:
        """From a place on: the places, what was read, and the pixels, uint8 n×C×H×W, where any were.

        :raises WhiteUnknownError: at a picture of more than 8 bits, where :meth:`tell_white` has to be called.
        """
        parts = in_parts(start, len(self._images), self.batch)
        what = f"Predicting {counted(len(self._images) - start, 'picture')}"
        yield from track(map_ahead(self._read, parts, self._threads), what, len(parts))

    def tell_white(self) -> None:
        """Tells what is white by the largest value of all pictures."""
        largest = largest_value([self._images])
        white = self._form.white.told_by(largest)
        say_white(white, self._form.white.left_open(largest), UNTOLD_REMEDY)
        self._form, self.is_white_told = replace(self._form, white=white), True

    def _read(self, places: range) -> Batch:
        chunk = self._images.load(places, self._form)
        pixels = torch.from_numpy(np.stack(list(chunk.pixels))) if len(chunk.pixels) else None
        # The encoded files would be held for as long as the batches that wait.
        return places, replace(chunk, pixels=(), files=()), pixels
