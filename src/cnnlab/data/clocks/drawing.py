"""Drawn clock faces: pictures of analogue clocks that look like photographs, with the time they show.

Each picture is a pure function of the seed, its index and the options: the same whatever it is drawn together with,
in whatever order, by however many threads. (Between machines a grey level may differ here and there, as the libraries
do that draw the numerals.)
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import UsageError
from cnnlab.core.machine import usable_cores
from cnnlab.core.messages import track
from cnnlab.data.clocks.faces import ClockOptions, Numerals, draw_face
from cnnlab.data.clocks.rendering import paint

Indices = Sequence[int] | npt.NDArray[np.int64]

_SMALLEST, _LARGEST = 16, 1024
_STEEPEST = 60.0
_LOT = 32


def draw_clocks(
    indices: Indices,
    *,
    seed: int,
    size: int = 150,
    numerals: Numerals = "mixed",
    rotate: bool = True,
    tilt: float = 30.0,
    glare: float = 0.6,
    mirror: bool = False,
    threads: int | None = None,
    out: npt.NDArray[np.uint8] | None = None,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pictures of clocks (uint8, N×3×size×size), their hours (0 to 11) and their minutes (0 to 59), int64, N each.

    The hour hand moves on with the minutes, as it does on a clock. Every dial marks twelve, by a numeral or by a mark
    of its own, so that the time can be told however it is turned. All 720 times are equally likely.

    :param indices: which clocks of the endless row that ``seed`` stands for.
    :param size: side of the pictures in pixels, 16 to 1024; below 48 or so minutes cannot be read any more.
    :param numerals: ``arabic``, ``roman``, ``quarters`` (12, 3, 6 and 9 only), ``none`` (ticks alone), or ``mixed``.
    :param rotate: whether the dial is turned by any angle; otherwise twelve is at the top.
    :param tilt: the most that the clock is turned away from the camera, in degrees, 0 to 60.
    :param glare: strength of the reflections in the glass, from 0 to 1.
    :param mirror: whether half of the clocks are seen in a mirror. Dials with ticks alone then have a date at three:
        without it nothing would tell which way round they are.
    :param threads: how many draw at once; by default one for each processor that this process may use.
    :param out: an array to draw into, such as a memory map, in place of a new one.
    :raises UsageError: for options out of range.
    """
    options = _options(size, numerals, rotate, tilt, glare, mirror)
    wanted = np.asarray(indices, np.int64)
    shape = (len(wanted), 3, size, size)
    images = np.empty(shape, np.uint8) if out is None else out
    if images.shape != shape or images.dtype != np.uint8:
        raise ValueError(f"out must be uint8 of the shape {shape}")
    minutes = np.empty(len(wanted), np.int64)

    def draw(start: int) -> None:
        for place in range(start, min(start + _LOT, len(wanted))):
            face = draw_face(seed, int(wanted[place]), options)
            images[place], minutes[place] = paint(face, size), face.minutes

    lots = range(0, len(wanted), _LOT)
    with ThreadPoolExecutor(threads or usable_cores()) as pool:
        for _ in track(pool.map(draw, lots), "Drawing clocks", len(lots)):
            pass
    return images, minutes // 60, minutes % 60


def _options(size: int, numerals: Numerals, rotate: bool, tilt: float, glare: float, mirror: bool) -> ClockOptions:
    if not _SMALLEST <= size <= _LARGEST:
        raise UsageError(f"clocks can be drawn from {_SMALLEST} to {_LARGEST} pixels wide, and size is {size}.")
    if not 0 <= tilt <= _STEEPEST:
        raise UsageError(f"clocks can be tilted by 0 to {_STEEPEST:g} degrees, and tilt is {tilt:g}.")
    if not 0 <= glare <= 1:
        raise UsageError(f"glare of clocks takes a number from 0 to 1, and it is {glare:g}.")
    if numerals not in ("mixed", "arabic", "roman", "quarters", "none"):
        raise UsageError(f"numerals of clocks takes mixed, arabic, roman, quarters or none, and it is {numerals!r}.")
    return ClockOptions(numerals, rotate, tilt, glare, mirror)
