"""Drawn clock faces."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch

from cnnlab.core.arguments import Fraction, Range
from cnnlab.core.errors import DataError
from cnnlab.core.files import cache_folder, free_space, reading_errors
from cnnlab.core.machine import free_memory
from cnnlab.data.clocks.drawing import draw_clocks
from cnnlab.data.clocks.faces import ClockOptions, Numerals, draw_face
from cnnlab.data.formats.decode import Form
from cnnlab.data.imageset import Numbered
from cnnlab.data.raw_images import Chunk, RawImages, arranged
from cnnlab.data.reading import Content, SearchPath, Source, SourceSplit, reader

# To be raised when the same arguments come to draw other pictures.
_DRAWING = 1


@reader("clocks")
def clocks(
    place: SearchPath,
    n: Annotated[int, Range(1, 10_000_000)] = 18_000,
    size: Annotated[int, Range(16, 1024)] = 150,
    seed: int = 0,
    numerals: Numerals = "mixed",
    rotate: bool = True,
    tilt: Annotated[float, Range(0, 60)] = 30.0,
    glare: Fraction = 0.6,
    mirror: bool = False,
) -> Source:
    """Drawn clock faces in colour, size×size, with the targets hour (0 to 11) and minute (0 to 59)."""
    style = ClockOptions(numerals, rotate, tilt, glare, mirror)
    key = {"kind": "clocks", "drawing": _DRAWING, "n": n, "size": size, "seed": seed, **vars(style)}

    def read() -> Content:
        _check_room(n, size)
        times = torch.tensor([draw_face(seed, index, style).minutes for index in range(n)], dtype=torch.int64)
        part = SourceSplit(_Clocks(n, seed, size, style), {"hour": times // 60, "minute": times % 60})
        return Content({"train": part}, {"hour": _numbers(12), "minute": _numbers(60)})

    return Source("clocks", read, facts={"from": "drawn by cnnlab"}, key=key)


def _check_room(n: int, size: int) -> None:
    """Refuses, before the first is drawn, more pixels than disk or memory have room for."""
    with reading_errors():
        needed, free = 3 * n * size * size, max(free_space(cache_folder()), free_memory())
    if needed > free:
        raise DataError(
            f"{n:,} clocks of {size}×{size} are {needed / 2**30:,.1f} GB of pixels, and there is room for "
            f"{free / 2**30:,.1f} GB. Take fewer, as in clocks(10000), or smaller ones, as in size=64."
        )


class _Clocks(RawImages):
    """Clocks drawn when they are loaded."""

    def __init__(self, count: int, seed: int, size: int, style: ClockOptions) -> None:
        self.ids: Sequence[str] = Numbered(count)
        self._seed, self._size, self._style = seed, size, style

    def load(self, places: range, form: Form) -> Chunk:
        """Draws them, in this thread alone."""
        images, _, _ = draw_clocks(
            np.arange(places.start, places.stop), seed=self._seed, size=self._size, threads=1, **vars(self._style)
        )
        return arranged(images, places, form)


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))
