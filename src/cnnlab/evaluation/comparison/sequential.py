"""Repeats added until something is found: a design that looks several times and still errs in 5% of studies only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.anova import Array
from cnnlab.evaluation.intervals import LEVEL
from cnnlab.evaluation.student_t import t_quantile, two_sided_p

Sizes: TypeAlias = npt.NDArray[np.float32]
_STUDIES = 200_000
_MOST_STUDIES = 1_000_000
_POWER_STUDIES = 20_000
_SPENDING = 2.0
_LEAST_SIMULATED = 2.5e-4


@dataclass(frozen=True)
class SequentialPower:
    """What a sequential design does where there is a difference.

    :param found: how often it finds it, at any of its looks.
    :param mean_repeats: how many repeats it takes on average until it stops.
    """

    found: float
    mean_repeats: float


@dataclass(frozen=True)
class SequentialDesign:
    """Looks at fixed numbers of repeats, each at a level of its own, so that all together err as rarely as one.

    Of the error of 5% a part is spent at each look: by the time that a share r of the most repeats is made, r² of it
    (the spending functions of Lan and DeMets, 1983, and Kim and DeMets, 1987). What a look may spend is turned into a
    level for its p-value by simulating Student's t of paired repeats as they are added, so that it is right for three
    repeats as well as for twenty. At each look use :meth:`level_at` as the ``level`` of
    :func:`~cnnlab.evaluation.compare_settings`; then any rule may say when to stop, and the intervals hold at all looks
    together (repeated confidence intervals, Jennison and Turnbull, 1989).

    :param looks: repeats at which the numbers are looked at, the last the most that are made.
    :param level: of all looks together.
    """

    looks: tuple[int, ...]
    level: float = LEVEL

    def __post_init__(self) -> None:
        rising = all(one < other for one, other in zip(self.looks, self.looks[1:], strict=False))
        if not self.looks or self.looks[0] < 2 or not rising:
            raise UsageError("a sequential design looks at two repeats or more, each time at more than before.")

    def level_at(self, repeats: int) -> float:
        """The level of comparisons made at a look.

        :raises UsageError: where no look was planned at so many repeats.
        """
        if repeats not in self.looks:
            planned = ", ".join(map(str, self.looks))
            raise UsageError(f"no look is planned at {repeats} repeats, only at {planned}.")
        return 1 - float(self._thresholds[self.looks.index(repeats)])

    def error_at(self, repeats: int, share: float = 1.0) -> float:
        """The level that a p-value has to be below at a look, where a test has this share of the error.

        :raises UsageError: where no look was planned at so many repeats.
        """
        self.level_at(repeats)
        return float(_spent(self.looks, share * (1 - self.level))[self.looks.index(repeats)])

    def p_value(self, p: float, repeats: int) -> float:
        """The p-value over all looks of a comparison that stopped at this one with ``p``.

        That is, how often equal settings would have stopped earlier, or here with as small a ``p``.
        """
        self.level_at(repeats)
        place = self.looks.index(repeats)
        sizes, critical = _null_sizes(self.looks, _STUDIES), _critical(self.looks, self._thresholds)
        earlier = (sizes[:, :place] >= critical[:place]).any(axis=1)
        return float((earlier | (sizes[:, place] >= t_quantile(1 - p, repeats - 1))).mean())

    def power(self, difference: float, std: float) -> SequentialPower:
        """How often a true difference of two settings is found, and after how many repeats.

        :param std: standard deviation between repeats of one setting, the effect of the seed taken out.
        """
        if not std > 0:
            raise UsageError(f"a standard deviation between repeats is more than 0; {std} is not.")
        sizes = _sizes_of_t(self.looks, abs(difference) / (sqrt(2) * std), _POWER_STUDIES, seed=1)
        is_found = sizes >= _critical(self.looks, self._thresholds)
        stops = np.where(is_found.any(axis=1), np.array(self.looks)[is_found.argmax(axis=1)], self.looks[-1])
        return SequentialPower(float(is_found.any(axis=1).mean()), float(stops.mean()))

    @property
    def _thresholds(self) -> Array:
        return _spent(self.looks, 1 - self.level)


def until(most: int, *, first: int = 3, every: int = 1, level: float = LEVEL) -> SequentialDesign:
    """A design that looks after ``first`` repeats, and after ``every`` further ones, until ``most`` are made."""
    if not 2 <= first <= most or every < 1:
        raise UsageError("looks begin at two repeats or more and go up to the most that are made, one or more apart.")
    return SequentialDesign(tuple(sorted({*range(first, most, every), most})), level)


def false_call_rate(looks: Sequence[int], level: float = LEVEL) -> float:
    """How often two equal settings are called different at one look or another, where each is judged at ``level``.

    :param looks: repeats at which the numbers were looked at.
    """
    looks = SequentialDesign(tuple(looks)).looks
    return float((_null_sizes(looks, _STUDIES) >= _critical(looks, np.full(len(looks), 1 - level))).any(axis=1).mean())


@lru_cache(maxsize=256)
def _spent(looks: tuple[int, ...], error: float) -> Array:
    """The p-value below which each look finds something, ``error`` being that of all looks together."""
    shares = np.array(looks, dtype=float) / looks[-1]
    spent = error * shares**_SPENDING
    if error < _LEAST_SIMULATED:
        # So rare that looks hardly ever find the same: their errors add up.
        parts: Array = np.diff(spent, prepend=0.0)
        return parts
    studies = min(_MOST_STUDIES, round(_STUDIES * (1 - LEVEL) / error))
    sizes = _null_sizes(looks, studies)
    going_on = np.ones(studies, dtype=bool)
    thresholds = np.zeros(len(looks))
    for place, repeats in enumerate(looks):
        stopping = round(spent[place] * studies) - int((~going_on).sum())
        critical = np.inf
        if stopping > 0:
            critical = -np.partition(-sizes[going_on, place], stopping - 1)[stopping - 1]
            thresholds[place] = two_sided_p(float(critical), repeats - 1)
        going_on &= sizes[:, place] < critical
    return thresholds


def _critical(looks: Sequence[int], thresholds: Array) -> Array:
    """What t has to exceed in size at each look."""
    pairs = zip(thresholds, looks, strict=True)
    return np.array([t_quantile(1 - p, repeats - 1) if p > 0 else np.inf for p, repeats in pairs])


@lru_cache(maxsize=2)
def _null_sizes(looks: tuple[int, ...], studies: int) -> Sizes:
    return _sizes_of_t(looks, 0.0, studies, seed=0)


def _sizes_of_t(looks: Sequence[int], shift: float, studies: int, seed: int) -> Sizes:
    """The size of the paired t at each look, a row a simulated study.

    :param shift: the true difference, in standard deviations of paired differences.
    """
    generator = np.random.default_rng(seed)
    total, squares = np.zeros(studies), np.zeros(studies)
    sizes = np.empty((studies, len(looks)), dtype=np.float32)
    made = 0
    for place, repeats in enumerate(looks):
        for _ in range(repeats - made):
            drawn = generator.standard_normal(studies) + shift
            total += drawn
            squares += drawn**2
        made = repeats
        mean = total / repeats
        sizes[:, place] = np.abs(mean) / np.sqrt((squares / repeats - mean**2) / (repeats - 1))
    return sizes
