"""What is measured of finished runs: a registry that every package may add to, and from which studies and reports read.

A measurement is a family of numbers, such as the scores of the splits, or the recall of each class. It answers to names
in words, as metrics and claims use them, with a measure: one number of a run, or of all runs of a setting together.
"""

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

from cnnlab.core.counterparts import hint, metrics
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.scored_splits import score_name

UnitName: TypeAlias = Literal["share", "loss", "minutes", "seconds", "epochs", "images/s", "number"]
Direction: TypeAlias = Literal["higher", "lower"]
M = TypeVar("M", bound="Measurement")
WORD = r"\w+"
"""The pattern of names of one word."""


@dataclass(frozen=True)
class Metric:
    """A number that every finished trial has.

    :param name: as in results and in claims, such as ``test_accuracy`` or ``recall of 'cat'``.
    :param label: as a person reads it.
    :param unit: shares are numbers from 0 to 1.
    :param is_level: whether it is how long it takes to a level, which a run may never reach.
    """

    name: str
    label: str
    unit: UnitName
    better: Direction
    is_level: bool = False


@dataclass(frozen=True)
class Measure:
    """A metric and how it is taken.

    :param of: its value for a finished run (a :class:`~cnnlab.runs.run_info.RunInfo`), or where ``is_of_setting`` for
        a sequence of all finished runs of a setting, such as the accuracy of their ensemble. None where there is none.
    """

    metric: Metric
    of: Callable[[Any], float | None]
    is_of_setting: bool = False

    def value(self, runs: Any) -> float | None:
        """As ``of`` gives it; None also where what it is read from was deleted: other measures still count."""
        try:
            return self.of(runs)
        except CnnlabError:
            return None


@dataclass(frozen=True)
class MeasuredRuns:
    """What the runs have in common of which something is measured.

    :param scores: the metrics that each split is scored by in the end, by its name.
    :param followed: likewise those that are taken epoch by epoch.
    :param judged_by: the metric that tells best how good they are, without its split.
    :param better: whether more of a metric is better or less.
    :param classes: where one column of classes is predicted, their names.
    """

    scores: Mapping[str, Sequence[str]]
    followed: Mapping[str, Sequence[str]]
    judged_by: str
    better: Callable[[str], Direction]
    classes: tuple[str, ...] | None = None

    @property
    def score_names(self) -> list[str]:
        """The metrics with their splits, as ``test_accuracy``."""
        return [score_name(split, name) for split, names in self.scores.items() for name in names]

    @property
    def followed_names(self) -> list[str]:
        """Likewise those that are followed."""
        return [f"{split}_{name}" for split, names in self.followed.items() for name in names]


class Measurement(ABC):
    """A family of measures."""

    pattern: ClassVar[str]
    """A regular expression that the names which it answers to match in full; without named groups."""

    @abstractmethod
    def read(self, name: str, runs: MeasuredRuns) -> Measure | None:
        """The measure of a name that matches; None where it is none of these runs'.

        :raises UsageError: saying why, where it is clear what is meant.
        """

    def usual(self, runs: MeasuredRuns) -> Sequence[str]:
        """The names of those that every finished run has and that go into every result."""
        return ()


_measurements: list[Measurement] = []
_homes = ("cnnlab.evaluation.measurements", "cnnlab.attacks.measurements")
"""Modules that register what they measure when they are imported."""


def measurement(kind: type[M]) -> type[M]:
    """A decorator that registers a measurement; names are looked for in the order of registration."""
    _measurements.append(kind())
    return kind


def read_measure(name: str, runs: MeasuredRuns) -> Measure:
    """The measure of a name.

    :raises UsageError: naming the closest that there are.
    """
    words = " ".join(name.split())
    for entry in measurements():
        if re.fullmatch(entry.pattern, words):
            measure = entry.read(words, runs)
            if measure is not None:
                return measure
    known = usual_names(runs)
    raise UsageError(f"there is no metric {name!r} here. {hint(words, known, metrics(words, known))}")


def usual_names(runs: MeasuredRuns) -> list[str]:
    """The names of all that every finished run has."""
    return [name for entry in measurements() for name in entry.usual(runs)]


def measurements() -> tuple[Measurement, ...]:
    """All that are registered, the packages that have any imported first."""
    for home in _homes:
        importlib.import_module(home)
    return tuple(_measurements)


def name_pattern() -> str:
    """A regular expression for the name of any measure where it stands among other words."""
    # A bare word comes last: others may begin with one.
    patterns = dict.fromkeys(entry.pattern for entry in measurements())
    return "|".join(sorted((f"(?:{pattern})" for pattern in patterns), key=lambda pattern: pattern == rf"(?:{WORD})"))
