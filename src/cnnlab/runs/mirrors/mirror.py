"""What a mirror is, and the names under which a recipe finds them (``mirror=``)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from cnnlab.core.errors import SpecError
from cnnlab.core.registry import BoundCall, Registry
from cnnlab.core.spec import ParsedSpec, format_calls
from cnnlab.runs.run import Run

mirrors: Registry["Mirror"] = Registry("mirror")
"""Where the record of a run can be copied to: classes of :class:`Mirror` by name."""


class Point(NamedTuple):
    """One number of a curve.

    :param series: the column of the history, such as ``train_loss``; one of the step log with ``step_`` before it; or
        the score of a split, such as ``test_accuracy``.
    :param step: of the step log the optimiser's step, else the epoch.
    """

    series: str
    step: int
    value: float


class RunCopy(ABC):
    """What a mirror has of one run, opened to add to it. Whatever fails raises, and the copy is opened anew later."""

    @abstractmethod
    def has(self, point: Point) -> bool:
        """Whether it had a number at that step of the series when it was opened; that is not added again."""

    @abstractmethod
    def add(self, points: Sequence[Point]) -> None:
        """Takes points in, each for the first time."""

    @abstractmethod
    def end(self, run: Run) -> None:
        """Takes in how the run ended: its status, scores, classes and confusion; also one that was stopped."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of it; closing twice does no harm."""


class Mirror(ABC):
    """Where records are copied to.

    :ivar steps: of the step log every so many steps are copied; 0 for none.
    """

    title: ClassVar[str]
    """The name of the tool, as a person knows it."""
    steps: int

    @abstractmethod
    def check(self) -> None:
        """Loads what the mirror needs, in the thread that trains, before anything is trained.

        :raises UsageError: where a package is missing, with the command that installs it.
        """

    @abstractmethod
    def open(self, run: Run) -> RunCopy:
        """The copy of a run, which is made with its recipe and tags where there is none yet."""


def parse_mirrors(value: Any) -> ParsedSpec[tuple[BoundCall[Mirror], ...]] | None:
    """The value of ``mirror=`` in a recipe; None where nothing is mirrored.

    :raises SpecError: for a mirror that there is not.
    """
    if value is None or isinstance(value, ParsedSpec):
        return value
    try:
        bound = mirrors.bind_all(value)
    except SpecError as error:
        raise error.under("mirror", value) from error
    return ParsedSpec(format_calls([each.call for each in bound]), bound) if bound else None


def check_mirrors(spec: ParsedSpec[tuple[BoundCall[Mirror], ...]] | None) -> None:
    """Loads what the mirrors of a recipe need; errors as for :meth:`Mirror.check`."""
    for bound in () if spec is None else spec.parsed:
        bound.build().check()
