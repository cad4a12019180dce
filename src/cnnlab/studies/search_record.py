"""What a search of a study tried, in order: plain frozen values of its result."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SearchStep:
    """One setting that a search tried.

    :param number: in the order in which it was asked for, from 0.
    :param value: what it was judged by; None of a trial that failed.
    :param state: ``complete``, ``pruned`` or ``failed``.
    :param epochs: at which it was stopped, of a pruned one.
    """

    number: int
    setting: str
    value: float | None
    state: Literal["complete", "pruned", "failed"]
    epochs: int | None = None


@dataclass(frozen=True)
class Search:
    """How a search went.

    :param metric: of the validation split, by which it was led.
    """

    metric: str
    steps: tuple[SearchStep, ...]
