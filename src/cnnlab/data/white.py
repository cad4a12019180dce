"""The value of white in numbers whose kind does not say it: told by the largest found, for nothing else does.

Bytes go from 0 to 255 and booleans from 0 to 1. Whole numbers of other kinds, and floats, may end anywhere, in a file
or in an array: one rule holds for them all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.messages import note, warn

SaidWhite: TypeAlias = "int | tuple[int | None, float | None] | None"
"""What ``white=`` says: one value for all numbers, or one for whole numbers and one for floats; None to be told."""

UNTOLD_REMEDY = "a classifier that was trained on such would know it"
_LEVELS = (255, *(2**bits - 1 for bits in (10, 12, 14, *range(16, 33))))
MOST_WHITE = 2**32 - 1
_DIM = 10
# Of which 255 times as much is still a number of 32 bits.
_SMALL = 2**24 - 1


@dataclass(frozen=True)
class White:
    """The values of white; None where it is not known, or there are no such numbers.

    :param whole: among whole numbers that are no bytes.
    :param floats: among floats.
    """

    whole: int | None = None
    floats: float | None = None

    @classmethod
    def said(cls, white: SaidWhite) -> "White":
        """What ``white=`` says."""
        return cls(*white) if isinstance(white, tuple) else cls(white, white)

    def told_by(self, largest: "Largest") -> "White":
        """What is not known yet, by the largest values.

        What is known of the other kind holds where it can: a picture of 12 bits may have been made one of floats. That
        of floats up to 1 cannot, nor can any for them.
        """
        whole, floats = self.whole, self.floats
        if whole is None and largest.whole is not None:
            whole = round(floats) if floats is not None and floats > 1 else white_above(largest.whole)
        if floats is None and largest.floats is not None:
            is_share = largest.floats <= 1
            floats = 1.0 if is_share else float(self.whole or white_above(largest.floats))
        return White(whole, floats)

    def left_open(self, largest: "Largest") -> "Largest":
        """The largest values of those kinds of which they tell white, because nothing else does."""
        told, alone = self.told_by(largest), White().told_by(largest)
        return Largest(
            largest.whole if self.whole is None and told.whole == alone.whole else None,
            largest.floats if self.floats is None and told.floats == alone.floats else None,
        )

    def of(self, kind: "np.dtype[Any]") -> float | None:
        """White among numbers of this kind."""
        return self.floats if kind.kind == "f" else self.whole


@dataclass(frozen=True)
class Largest:
    """The largest value met among whole numbers that are no bytes, and among floats; None where there were none."""

    whole: float | None = None
    floats: float | None = None

    @classmethod
    def of(cls, values: NDArray[Any]) -> "Largest":
        """That of an array; of one without any, or with what is no number, 0."""
        if is_said_by(values.dtype):
            return cls()
        largest = float(values.max(initial=0)) if values.dtype.kind in "iuf" else 0.0
        largest = largest if np.isfinite(largest) else 0.0
        return cls(floats=largest) if values.dtype.kind == "f" else cls(whole=largest)

    @classmethod
    def of_all(cls, some: Iterable["Largest"]) -> "Largest":
        """The largest of several."""
        found = list(some)
        wholes = [one.whole for one in found if one.whole is not None]
        floats = [one.floats for one in found if one.floats is not None]
        return cls(max(wholes, default=None), max(floats, default=None))


def is_said_by(kind: "np.dtype[Any]") -> bool:
    """Whether numbers of this kind say by themselves which of them is white."""
    return kind == np.uint8 or kind.kind not in "iuf"


UNKNOWN_WHITE = White()
NONE_MET = Largest()


def white_above(largest: float) -> int:
    """White where this is the largest value of all: the most that 8, 10, 12, 14, 16 or more bits hold."""
    return next((level for level in _LEVELS if largest <= level), MOST_WHITE)


def said_of_white(
    white: White, largest: Largest, remedy: str = "white= says otherwise"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What there is to say of a white that was told by the largest values: notes, and warnings.

    Nothing where floats end at 1, or numbers at 255, as they mostly do.
    """
    notes, warnings = list[str](), list[str]()
    kinds = {
        "whole numbers of more than 8 bits": (white.whole, largest.whole),
        "floats": (white.floats, largest.floats),
    }
    for kind, (value, found) in kinds.items():
        if not value or not found or (value in (1, 255) and 2 * found > value):
            continue
        if _DIM * found < value:
            warnings.append(
                f"of {kind} {value:,.10g} is taken for white, and the largest value of all is {found:,.4g}, so that "
                f"all pictures are nearly black; {remedy}."
            )
        else:
            bound = "" if value == 1 else ", the most that 8, 10, 12, 14, 16 or more bits hold"
            notes.append(
                f"of {kind} {value:,.10g} is taken for white{bound}, by the largest value found, {found:,.10g}; "
                f"{remedy}."
            )
    return tuple(notes), tuple(warnings)


def say_white(white: White, largest: Largest, remedy: str) -> None:
    """Says so at once, for pictures that are not kept."""
    notes, warnings = said_of_white(white, largest, remedy)
    for text in notes:
        note(text)
    for text in warnings:
        warn(text)


def as_bytes(values: NDArray[Any], white: float) -> NDArray[np.uint8]:
    """Numbers from black, 0, to ``white`` as 0 to 255, rounded; what is beyond is white too."""
    if values.dtype.kind == "f":
        rounded: NDArray[np.uint8] = np.rint(np.minimum(values * (255 / white), 255)).astype(np.uint8)
        return rounded
    whole = round(white)
    exact = np.clip(values, 0, whole).astype(np.uint32 if whole <= _SMALL else np.uint64)
    scaled: NDArray[np.uint8] = ((exact * 255 + whole // 2) // whole).astype(np.uint8)
    return scaled
