"""Repeats added until something is found: a design that looks several times and still errs in 5% of studies only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import special

from cnnlab.core.errors import UsageError
from cnnlab.evaluation.comparison.anova import Array
from cnnlab.evaluation.intervals import LEVEL

_STUDIES = 200_000
_POWER_STUDIES = 20_000
_SPENDING = 2.0


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

    def p_value(self, p: float, repeats: int) -> float:
        """The p-value over all looks of a comparison that stopped at this one with ``p``.

        That is, how often equal settings would have stopped earlier, or here with as small a ``p``.
        """
        self.level_at(repeats)
        place = self.looks.index(repeats)
        p_values = _null_p_values(self.looks)
        earlier = (p_values[:, :place] <= self._thresholds[:place]).any(axis=1)
        return float((earlier | (p_values[:, place] <= p)).mean())

    def power(self, difference: float, std: float) -> SequentialPower:
        """How often a true difference of two settings is found, and after how many repeats.

        :param std: standard deviation between repeats of one setting, the effect of the seed taken out.
        """
        if not std > 0:
            raise UsageError(f"a standard deviation between repeats is more than 0; {std} is not.")
        p_values = _paired_p_values(self.looks, abs(difference) / (sqrt(2) * std), _POWER_STUDIES, seed=1)
        is_found = p_values <= self._thresholds
        stops = np.where(is_found.any(axis=1), np.array(self.looks)[is_found.argmax(axis=1)], self.looks[-1])
        return SequentialPower(float(is_found.any(axis=1).mean()), float(stops.mean()))

    @property
    def _thresholds(self) -> Array:
        return _spent(self.looks, self.level)


def until(most: int, *, first: int = 3, every: int = 1, level: float = LEVEL) -> SequentialDesign:
    """A design that looks after ``first`` repeats, and after ``every`` further ones, until ``most`` are made."""
    if not 2 <= first <= most or every < 1:
        raise UsageError("looks begin at two repeats or more and go up to the most that are made, one or more apart.")
    return SequentialDesign(tuple(sorted({*range(first, most, every), most})), level)


@lru_cache(maxsize=32)
def _spent(looks: tuple[int, ...], level: float) -> Array:
    """The p-value below which each look finds something."""
    p_values = _null_p_values(looks)
    going_on = np.ones(len(p_values), dtype=bool)
    thresholds = np.zeros(len(looks))
    for place, repeats in enumerate(looks):
        may_have_stopped = round((1 - level) * (repeats / looks[-1]) ** _SPENDING * len(p_values))
        stopping = may_have_stopped - int((~going_on).sum())
        if stopping > 0:
            thresholds[place] = np.partition(p_values[going_on, place], stopping - 1)[stopping - 1]
        going_on &= p_values[:, place] > thresholds[place]
    return thresholds


@lru_cache(maxsize=4)
def _null_p_values(looks: tuple[int, ...]) -> npt.NDArray[np.float64]:
    return _paired_p_values(looks, 0.0, _STUDIES, seed=0)


def _paired_p_values(looks: Sequence[int], shift: float, studies: int, seed: int) -> Array:
    """Of the paired t test at each look, a row a simulated study.

    :param shift: the true difference, in standard deviations of paired differences.
    """
    generator = np.random.default_rng(seed)
    total, squares = np.zeros(studies), np.zeros(studies)
    p_values = np.empty((studies, len(looks)))
    made = 0
    for place, repeats in enumerate(looks):
        for _ in range(repeats - made):
            drawn = generator.normal(shift, 1.0, studies)
            total += drawn
            squares += drawn**2
        made = repeats
        mean = total / repeats
        error = np.sqrt((squares / repeats - mean**2) / (repeats - 1))
        p_values[:, place] = 2 * special.stdtr(repeats - 1, -np.abs(mean) / error)
    return p_values
