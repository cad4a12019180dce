"""The spaces that a search draws values from, as a study file writes them: ``log(1e-4, 1)``, ``choice(a, b)``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cnnlab.core.arguments import Range
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.registry import Registry
from cnnlab.core.spec import Call, format_value, read_one

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Above0: TypeAlias = Annotated[float, Range(0, open_low=True)]
_DIGITS = 4


@dataclass(frozen=True)
class Numbers:
    """Numbers from ``low`` to ``high``, both included; evenly, or evenly in their logarithm.

    :param whole: whether they are whole numbers; others are rounded to four significant digits, so that a person can
        read and type them.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def distribution(self) -> "BaseDistribution":
        """As Optuna has it."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def value(self, drawn: Any) -> Any:
        """The value of the recipe for what was drawn."""
        return int(drawn) if self.whole else _rounded(float(drawn))

    def __str__(self) -> str:
        ends = f"{format_value(self.low)}, {format_value(self.high)}"
        if self.whole:
            return f"int({ends}{', log=true' if self.log else ''})"
        return f"{'log' if self.log else 'uniform'}({ends})"


@dataclass(frozen=True)
class Choice:
    """One of some values, by its place."""

    values: tuple[Any, ...]

    def distribution(self) -> "BaseDistribution":
        """As Optuna has it: the places, since values may be anything."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(list(range(len(self.values))))

    def value(self, drawn: Any) -> Any:
        """The value of the recipe for what was drawn."""
        return self.values[int(drawn)]

    def __str__(self) -> str:
        return f"choice({', '.join(map(format_value, self.values))})"


Space: TypeAlias = Numbers | Choice
spaces: Registry[Space] = Registry("space")
"""What a spec may name besides ``choice``, which takes any number of values."""


@spaces.register("uniform")
def uniform(low: float, high: float) -> Space:
    """Numbers, all equally likely."""
    return _ordered(Numbers(low, high))


@spaces.register("log")
def log(low: Above0, high: Above0) -> Space:
    """Numbers above 0, evenly in their logarithm: as many from 0.001 to 0.01 as from 0.01 to 0.1."""
    return _ordered(Numbers(low, high, log=True))


@spaces.register("int")
def whole(low: int, high: int, log: bool = False) -> Space:
    """Whole numbers, both ends included."""
    if log and low < 1:
        raise UsageError(f"int({low}, {high}, log=true): a logarithm needs numbers of at least 1.")
    return _ordered(Numbers(low, high, log=log, whole=True))


def read_space(value: object) -> Space:
    """The space that a study file gives for an axis: a list is a choice.

    :raises SpecError: when it cannot be meant.
    """
    if isinstance(value, list | tuple):
        return _choice(tuple(value), "a list")
    if not isinstance(value, str | Mapping | Call):
        raise UsageError(f"{value!r} is no space to search: write log(1e-4, 1), or a list to choose from.")
    call = read_one(value, "The space of an axis")
    if call.name != "choice":
        return spaces.bind(value if isinstance(value, str) else call).build()
    if call.kwargs:
        raise call.error("choice takes values, without names")
    return _choice(tuple(str(v) if isinstance(v, Call) else v for v in call.args), "choice")


def is_space(value: object) -> bool:
    """Whether a text names a space."""
    try:
        name = read_one(value, "a space").name if isinstance(value, str) else ""
    except SpecError:
        return False
    return name == "choice" or name in spaces


def _choice(values: tuple[Any, ...], what: str) -> Choice:
    if not values:
        raise UsageError(f"{what} of no values leaves nothing to try.")
    return Choice(values)


def _ordered(space: Numbers) -> Numbers:
    if not space.low < space.high:
        raise UsageError(f"{space}: the first number must be below the second.")
    return space


def _rounded(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}") if math.isfinite(number) else number
