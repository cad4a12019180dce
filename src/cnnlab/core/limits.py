"""Bounds on what is read and unpacked, which a person can raise, and what memory there is for it."""

import os
import re

from cnnlab.core.errors import DataError, UsageError
from cnnlab.core.machine import free_memory

MOST_BYTES = "CNNLAB_MOST_BYTES"
"""The variable by which a person allows more, such as ``20GB``."""
_HARMLESS = 1 << 30
_MOST_RATIO = 100
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def most_bytes(usual: int) -> int:
    """A bound in bytes, or what a person has raised it to."""
    return max(usual, said_bytes(MOST_BYTES) or 0)


def said_bytes(variable: str) -> int | None:
    """The size that an environment variable says, such as ``20GB``; None where it is not set.

    :raises UsageError: where it is no size.
    """
    said = os.environ.get(variable, "").strip()
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)B?", said.upper())
    if said and match is None:
        raise UsageError(f"{variable}={said[:40]} is no size; write a number of bytes, or one such as 20GB.")
    return int(match[1]) * _UNITS[match[2]] if match else None


def check_size(size: int, usual: int, what: str) -> None:
    """Refuses what is larger than it may be.

    :raises DataError: with how to allow it.
    """
    if size > most_bytes(usual):
        raise DataError(f"{what} has {size:,} bytes, and more than {usual:,} are not read. {allowed(size)}")


def check_unpacked(unpacked: int, packed: int, what: str) -> None:
    """Refuses what unpacks, or declares, to be absurdly more than it takes on the disk.

    :raises DataError: with how to allow it.
    """
    if unpacked > most_bytes(_HARMLESS) and unpacked > _MOST_RATIO * packed:
        raise DataError(
            f"{what} would unpack to {unpacked:,} bytes, over {_MOST_RATIO} times its own {packed:,}. That looks like "
            f"a file made to fill memory or disk and is refused. {allowed(unpacked)}"
        )


def check_memory(size: int, what: str) -> None:
    """Refuses what would take more memory than is free.

    :raises DataError: with both numbers.
    """
    free = free_memory()
    if size > free:
        raise DataError(f"{what} takes {_in_units(size)} of memory, and {_in_units(free)} are free.")


def allowed(size: int) -> str:
    """How a person lets something of so many bytes be read."""
    # Twice as much, for of what is read bit by bit the whole is not known.
    return f"If you trust it, set {MOST_BYTES}={-(-2 * size // 2**30)}GB."


def _in_units(size: int) -> str:
    return f"{size / 2**30:,.1f} GB" if size >= 2**30 else f"{size / 2**20:,.0f} MB"
