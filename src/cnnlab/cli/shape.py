"""Sizes as a command line gives them."""

import re
from typing import NoReturn

from cnnlab.core.errors import UsageError

_NUMBERS = re.compile(r"[1-9]\d{0,8}(?:[x×][1-9]\d{0,8})*")


def read_shape(text: str, flag: str = "--shape") -> tuple[int, int, int]:
    """Channels, height and width, as in ``3x32x32``.

    :raises UsageError: for anything else.
    """
    numbers = read_sizes(text)
    if len(numbers) != 3:
        _refuse(f"{flag} takes channels, height and width, such as 3x32x32", text)
    channels, height, width = numbers
    return channels, height, width


def read_sizes(text: str) -> tuple[int, ...]:
    """Whole numbers above 0 with an x between each two; nothing for any other text."""
    return tuple(map(int, re.split("[x×]", text))) if _NUMBERS.fullmatch(text) else ()


def _refuse(what: str, text: str) -> NoReturn:
    raise UsageError(f"{what}; got {text}.")
