"""The value of white in pictures of more than 8 bits: told by the largest value found, for nothing else says it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DEEPEST = 65535
_LEVELS = (255, 1023, 4095, 16383, DEEPEST)


def white_above(largest: int) -> int:
    """White where this is the largest value of all: what 8, 10, 12, 14 or 16 bits hold, the least that suffices."""
    return next((level for level in _LEVELS if largest <= level), DEEPEST)


def said_of_white(white: int) -> str:
    """What there is to say of a white that was found so."""
    return (
        f"in pictures of more than 8 bits {white:,} is taken for white, the most that 8, 10, 12, 14 or 16 bits hold, "
        "by the largest value found; white= says otherwise."
    )


def as_bytes(values: NDArray[Any], white: float) -> NDArray[np.uint8]:
    """Whole numbers from black, 0, to ``white`` as 0 to 255, rounded; what is beyond is white too."""
    whole = round(white)
    exact = np.clip(values, 0, whole).astype(np.uint32 if whole <= DEEPEST else np.uint64)
    scaled: NDArray[np.uint8] = ((exact * 255 + whole // 2) // whole).astype(np.uint8)
    return scaled
